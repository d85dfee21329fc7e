"""Names, order and collections, written out here without the package's help."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modcog
from modcog.errors import ModcogError, UnknownNameError
from modcog.tasks.names import COLLECTIONS, compose, resolve, variants

DELAYED_GO, DELAYED_MATCH = ("dlygo", "dlyanti"), ("dms", "dnms", "dmc", "dnmc")
DM = ("dm1", "dm2", "ctxdm1", "ctxdm2", "multidm")
DLYDM = ("dlydm1", "dlydm2", "ctxdlydm1", "ctxdlydm2", "multidlydm")
YANG19 = ("go", "rtgo", "dlygo", "anti", "rtanti", "dlyanti", *DM, *DLYDM, *DELAYED_MATCH)
DELAYED = (*DELAYED_GO, *DLYDM, *DELAYED_MATCH)
BOTH = ("intrseqr", "intrseql", "intlseqr", "intlseql")
ORDER = [
    *YANG19,
    *(base + suffix for base in DELAYED for suffix in ("intr", "intl")),
    *(base + "seqr" for base in YANG19),
    *(base + "seql" for base in YANG19),
    *(base + suffix for base in DELAYED for suffix in BOTH),
    *(f"go{suffix}" for suffix in ("intr", "intl", *BOTH)),
]
FAMILY = {"go": YANG19[:6], "decision": YANG19[6:16], "match": YANG19[16:]}


# --- the 132 and their collections -------------------------------------------------------------


def test_the_132_tasks_stand_in_canonical_order() -> None:
    assert tuple(ORDER) == modcog.TASKS
    assert (len(ORDER), len(set(ORDER))) == (132, 132)


@pytest.mark.parametrize(("name", "size"), [("yang19", 20), ("modcog82", 82), ("modcog126", 126), ("modcog132", 132)])
def test_each_collection_is_a_prefix_of_the_next(name: str, size: int) -> None:
    """So that a task's index never changes."""
    assert modcog.collection(name) == tuple(ORDER[:size])


@pytest.mark.parametrize(
    ("name", "size"),
    [("interval", 72), ("sequence", 88), ("interval-sequence", 48), ("go", 36), ("decision", 60), ("match", 36)],
)
def test_collections_by_property_are_in_canonical_order(name: str, size: int) -> None:
    """12 bases · 2 signs · 3; 20 · 2 + 12 · 4; 12 · 4; and the families: 3 tasks a base, 9 with a timed period."""
    found = modcog.collection(name)
    if name in FAMILY:
        expected = [task for task in ORDER if re.sub("(int[rl])?(seq[rl])?$", "", task) in FAMILY[name]]
    else:
        ending = {"interval": "int[rl](seq[rl])?$", "sequence": "seq[rl]$", "interval-sequence": "int[rl]seq[rl]$"}
        expected = [task for task in ORDER if re.search(ending[name], task)]
    assert found == tuple(expected)
    assert len(found) == size


def test_there_are_these_ten_collections() -> None:
    properties = {"interval", "sequence", "interval-sequence", "go", "decision", "match"}
    assert set(COLLECTIONS) == {"yang19", "modcog82", "modcog126", "modcog132"} | properties
    assert modcog.COLLECTIONS == COLLECTIONS


# --- parse and compose -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORDER)
def test_parse_takes_a_name_apart_and_str_puts_it_together(name: str) -> None:
    spec = modcog.parse(name)
    assert str(spec) == spec.name == name
    assert spec.base in YANG19
    assert spec.base in FAMILY[spec.family]
    rest = name.removeprefix(spec.base)
    assert rest == {0: "", 1: "intr", -1: "intl"}[spec.interval] + {0: "", 1: "seqr", -1: "seql"}[spec.sequence]
    assert compose(spec.base, spec.interval, spec.sequence) == name


def test_task_spec_is_a_value() -> None:
    spec = modcog.parse("dlygointrseql")
    assert spec == modcog.TaskSpec("dlygointrseql", "dlygo", "go", interval=+1, sequence=-1)
    assert len({spec, modcog.parse("dlygointrseql")}) == 1
    with pytest.raises(AttributeError):
        spec.interval = 0  # type: ignore[misc]


def test_variants_are_three_or_nine() -> None:
    assert variants("rtgo") == ("rtgo", "rtgoseqr", "rtgoseql")
    for base in YANG19:
        assert sorted(variants(base)) == sorted(name for name in ORDER if modcog.parse(name).base == base)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.text(alphabet="godmlyanticxrseuq12 \n", max_size=20))
def test_parse_knows_the_132_and_nothing_else(name: str) -> None:
    if name in ORDER:
        assert modcog.parse(name).name == name
    else:
        with pytest.raises(UnknownNameError):
            modcog.parse(name)


def test_no_other_combination_of_parts_is_a_name() -> None:
    """Extensions in the wrong order, twice, or on a base without a timed period."""
    parts = ["", "intr", "intl", "seqr", "seql"]
    for name in {"".join(found) for found in product(("rtgo", "dms"), parts, parts, parts)} - set(ORDER):
        with pytest.raises(UnknownNameError):
            modcog.parse(name)


# --- what a battery's tasks may be given as ----------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("yang19", list(YANG19)),
        ("dlygointr", ["dlygointr"]),
        ("decision", [name for name in ORDER if "dm" in name and not name.startswith(("dmc", "dms"))]),
        (["go"], ["go"]),
        (("dms", "go"), ["dms", "go"]),
        ((name for name in ("dms", "go")), ["dms", "go"]),
        (ORDER[::-1], ORDER[::-1]),
    ],
    ids=["collection", "task", "family", "list", "tuple", "generator", "reversed"],
)
def test_tasks_are_a_collection_a_task_or_names_in_any_order(given: object, expected: list[str]) -> None:
    assert resolve(given) == tuple(expected)


def test_go_is_a_task_and_a_family_and_must_be_said_which() -> None:
    with pytest.raises(ModcogError, match=r"write \['go'\] for the task or modcog.collection\('go'\) for the family"):
        resolve("go")


# --- wrong names -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dlygointt", ["unknown task 'dlygointt'", "nearest: 'dlygointr'", "allowed: go, rtgo"]),
        ("GO", ["unknown task 'GO'", "nearest: 'go'"]),
        (" dms ", ["unknown task ' dms '", "nearest: 'dms'"]),
        ("dms\n", ["unknown task 'dms\\n'"]),
        ("rtgointr", ["'rtgointr'", "rtgo has no timed period", "allowed: rtgo, rtgoseqr, rtgoseql"]),
        ("dm1intlseqr", ["'dm1intlseqr'", "dm1 has no timed period", "allowed: dm1, dm1seqr, dm1seql"]),
        ("goseqrintr", ["unknown task 'goseqrintr'"]),
        ("", ["unknown task ''", "132 in all"]),
        (None, ["unknown task None"]),
        (7, ["unknown task 7"]),
        (["go"], ["unknown task ['go']"]),
        ("x" * 5000, ["unknown task 'xxx", "…"]),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_wrong_task_name_says_what_is_near_and_what_is_allowed(name: object, says: list[str]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        modcog.parse(name)  # type: ignore[arg-type]
    message = str(caught.value)
    assert [word for word in says if word not in message] == [], message
    assert "\n" not in message
    assert len(message) < 700


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("modcog123", ["unknown task or collection 'modcog123'", "nearest: 'modcog132'", "allowed: yang19, modcog82"]),
        ("matches", ["nearest: 'match'"]),
        ([], ["tasks", "empty list", "at least one task"]),
        (["go", "dms", "go"], ["tasks", "got go more than once", "once"]),
        (["yang19", "gointr"], ["tasks", "the collection 'yang19'", "*modcog.collection('yang19')"]),
        (["go", "dmz"], ["unknown task 'dmz'", "nearest: 'dm"]),
        (["go", None], ["unknown task None"]),
        ({"go"}, ["tasks", "list of task names"]),
        ({"go": 1}, ["tasks: got {'go': 1}", "list of task names"]),
        (b"go", ["tasks: got b'go'", "list of task names"]),
        (None, ["tasks: got None", "name of a collection"]),
        (132, ["tasks: got 132", "name of a collection"]),
    ],
    ids=repr,
)
def test_wrong_tasks_are_refused_in_one_line(given: object, says: list[str]) -> None:
    with pytest.raises(ModcogError) as caught:
        resolve(given)
    message = str(caught.value)
    assert [word for word in says if word not in message] == [], message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["modcog", "families", None, 3, ["go"]])
def test_a_wrong_collection_lists_the_ten(name: object) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown collection .* allowed: yang19, .*, match$"):
        modcog.collection(name)  # type: ignore[arg-type]


def test_a_wrong_base_task_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown base task 'dlygointr' .*allowed: go, rtgo"):
        variants("dlygointr")


IDS = ("modcog/dlygointr-v0", "modcog:modcog/dlygointr-v0", "modcog/dlygointr", "dlygointr-v0")


@pytest.mark.parametrize("name", IDS)
def test_the_id_of_an_environment_names_its_task(name: str) -> None:
    assert modcog.parse(name) == modcog.parse("dlygointr")
    assert resolve(name) == resolve([name]) == ("dlygointr",)
    assert modcog.Battery([name]) == modcog.Battery(["dlygointr"])
    with pytest.raises(ModcogError, match="dlygointr more than once"):
        resolve([name, "dlygointr"])


@pytest.mark.parametrize("name", ["modcog/match-v0", "modcog/-v0", "-v0", "modcog/go-v1", "go-v0-v0", "neurogym/go-v0"])
def test_other_ids_name_nothing(name: str) -> None:
    with pytest.raises(UnknownNameError):
        resolve(name)


def test_a_collection_has_no_id() -> None:
    with pytest.raises(UnknownNameError, match="unknown task or collection 'modcog/match-v0'"):
        resolve("modcog/match-v0")
