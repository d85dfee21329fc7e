"""Finding user code, reading which options it takes, and reporting what it raises."""

import pytest
import torch

from modcog.errors import ModcogError, UnknownNameError
from modcog.user_code import (
    LONGEST,
    accepted_options,
    failures_as,
    import_object,
    is_batch_first,
    is_factory,
    required_options,
)

OFFERED = {"n_inputs": 5, "hidden": 7}


class Net(torch.nn.Module):
    """A network."""

    def __init__(self, n_inputs, hidden=3):
        super().__init__()


class Wrapped:
    """A network of another library, say."""

    def __call__(self, *args, **kwargs):
        """Return nothing."""


@pytest.mark.parametrize(
    ("function", "accepted", "required"),
    [
        (lambda n_inputs: 0, {"n_inputs": 5}, {"n_inputs"}),
        (lambda *, hidden=3: 0, {"hidden": 7}, set()),
        (lambda hidden, /: 0, {}, {"hidden"}),
        (lambda first, **rest: 0, OFFERED, {"first"}),
        (lambda *rest: 0, {}, set()),
        (Net, OFFERED, {"n_inputs"}),
        (dict.fromkeys, {}, {"iterable"}),
        (iter, {}, set()),
    ],
)
def test_options_are_read_from_the_signature(function, accepted, required):
    assert accepted_options(function, OFFERED) == accepted
    assert required_options(function) == required


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (Net, True),
        (lambda n_inputs, hidden=1: 0, True),
        (lambda *sizes, n_inputs: 0, True),
        (lambda: 0, True),
        (Net(5), False),
        (Wrapped(), False),
        (lambda observations: 0, False),
        (iter, False),
        (3, False),
    ],
)
def test_a_factory_is_told_from_a_network(candidate, expected):
    assert is_factory(candidate, OFFERED) is expected


@pytest.mark.parametrize("error", [ValueError("out of\nluck"), SystemExit("out of luck")])
def test_failures_are_reported_in_one_line(error):
    with pytest.raises(ModcogError, match=f"^net: {type(error).__name__}: out of luck$"), failures_as("net"):
        raise error


def test_long_messages_are_cut_and_our_own_errors_and_ctrl_c_pass():
    with pytest.raises(ModcogError) as caught, failures_as("net"):
        raise ValueError("word " * 1000)
    assert len(str(caught.value)) <= len("net: ") + LONGEST
    for error in (UnknownNameError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, failures_as("net"):
            raise error
        assert caught.value is error


class Unreadable(Exception):
    """An error whose message cannot be read."""

    def __str__(self):
        raise RuntimeError

    __repr__ = __str__


class Beyond(BaseException):
    """An error that ``except Exception`` does not catch."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Unreadable(), "Unreadable: <Unreadable>"),
        (Beyond("out of luck"), "Beyond: out of luck"),
        (ValueError("\x1b[2Jgone\x00\u202e\udc80"), r"ValueError: \x1b[2Jgone\x00\u202e\udc80"),
        (type("\x1b[2J", (Exception,), {})(), r"\x1b[2J"),
        (ValueError(b"\xff"), r"ValueError: b'\xff'"),
        (SystemExit(), "SystemExit"),
    ],
)
def test_hostile_errors_are_reported_in_printable_text(error, said):
    with pytest.raises(ModcogError) as caught, failures_as("net"):
        raise error
    assert str(caught.value) == f"net: {said}"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("path", ["x:", ":x", "x", "a b:c", "a:b c", "../a:b", "a:b:c", "\x1b:a", ""])
def test_what_is_no_import_path_is_refused(path):
    with pytest.raises(ModcogError, match="must be MODULE:NAME") as caught:
        import_object(path)
    assert str(caught.value).isprintable()


def test_a_module_or_an_attribute_that_fails_is_refused(tmp_path, monkeypatch):
    (tmp_path / "ends_user_module.py").write_text("import sys\nsys.exit('over')\n", encoding="utf-8")
    fails = "class A:\n    @property\n    def b(self): 1 / 0\na = A()\n"
    (tmp_path / "fails_user_module.py").write_text(fails, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModcogError, match=r"^cannot import 'ends_user_module': SystemExit: over$"):
        import_object("ends_user_module:a")
    with pytest.raises(ModcogError, match=r"^cannot import 'a.b' from 'fails_user_module': ZeroDivisionError"):
        import_object("fails_user_module:a.b")


def test_objects_are_imported_from_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "some_user_module.py").write_text("class A:\n    b = 3\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert import_object("some_user_module:A.b") == 3
    with pytest.raises(UnknownNameError, match="unknown name in some_user_module 'AA'"):
        import_object("some_user_module:AA")
    with pytest.raises(ModcogError, match="got 'x:', must be MODULE:NAME"):
        import_object("x:")


def test_batch_first_is_the_modules_or_that_of_its_parts():
    gru = torch.nn.GRU(2, 3, batch_first=True)
    assert is_batch_first(torch.nn.Sequential(gru))
    assert not is_batch_first(torch.nn.Sequential(torch.nn.GRU(2, 3)))
    whole = torch.nn.Sequential(gru)
    whole.batch_first = False
    assert not is_batch_first(whole)
