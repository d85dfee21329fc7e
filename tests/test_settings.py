"""Settings: every field, from Python, TOML, YAML and JSON, and what is refused."""

from __future__ import annotations

import copy
import json
import pickle
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modcog
from modcog.battery import BatteryConfig
from modcog.errors import FixedError, ModcogError, UnknownNameError
from modcog.settings import read_timing
from modcog.validation import read_settings

EVERY: dict[str, Any] = {
    "tasks": ("dlygointr", "dms", "multidm"),
    "dt": 25.0,
    "sigma": 0.5,
    "dim_ring": 8,
    "rules": "published",
    "rule_input": True,
    "omega": 0.02,
    "interval": (200.0, 450.0),
    "coherences": (0.1, 0.5),
    "strengths": (0.2, 0.7, 1.5),
    "timing": {
        "fixation": 300.0,
        "sample": ("choice", (100.0, 200.0)),
        "delay": ("uniform", (300.0, 900.0)),
        "test": ("choice", (125.0,)),
    },
}
TOML = """
tasks = ["dlygointr", "dms", "multidm"]
dt = 25
sigma = 0.5
dim_ring = 8
rules = "published"
rule_input = true
omega = 0.02
interval = [200, 450]
coherences = [0.1, 0.5]
strengths = [0.2, 0.7, 1.5]
[timing]
fixation = 300
sample = [100, 200]
delay = ["uniform", [300, 900]]
test = ["choice", [125]]
"""
YAML = """
tasks: [dlygointr, dms, multidm]
dt: 25
sigma: 0.5
dim_ring: 8
rules: published
rule_input: true
omega: 0.02
interval: [200, 450]
coherences: [0.1, 0.5]
strengths: [0.2, 0.7, 1.5]
timing:
  fixation: 300
  sample: [100, 200]
  delay: [uniform, [300, 900]]
  test: [choice, [125]]
"""


def values(battery: modcog.Battery) -> dict[str, Any]:
    return battery.config.model_dump()


# --- what can be said --------------------------------------------------------------------------


def test_the_defaults_are_those_of_the_battery() -> None:
    assert values(modcog.Battery()) == {
        "tasks": modcog.TASKS, "dt": 100, "sigma": 1, "dim_ring": 16, "rules": "corrected", "rule_input": False,
        "omega": 0.01, "interval": None, "coherences": (0.08, 0.16, 0.32, 0.64), "strengths": (0.3, 0.6, 1.0),
        "timing": {},
    }  # fmt: skip
    assert BatteryConfig() == modcog.Battery().config


def test_this_file_sets_every_field() -> None:
    defaults = values(modcog.Battery())
    assert EVERY.keys() == defaults.keys()
    assert [name for name in EVERY if EVERY[name] == defaults[name]] == []


def test_every_field_from_python() -> None:
    assert values(modcog.Battery(**EVERY)) == EVERY


@pytest.mark.parametrize(("ending", "text"), [(".toml", TOML), (".yaml", YAML), (".yml", YAML), (".TOML", TOML)])
def test_every_field_from_a_file(tmp_path: Path, ending: str, text: str) -> None:
    path = tmp_path / f"battery{ending}"
    path.write_text(text)
    assert values(modcog.Battery.from_file(path)) == EVERY
    assert values(modcog.Battery.from_file(str(path))) == EVERY


def test_settings_go_through_json_and_back(tmp_path: Path) -> None:
    """As a manifest or a run's configuration keeps them."""
    made = modcog.Battery(**EVERY)
    path = tmp_path / "battery.json"
    path.write_text(json.dumps(made.config.model_dump(mode="json")))
    assert modcog.Battery.from_file(path) == made


def test_keyword_arguments_come_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "battery.toml"
    path.write_text(TOML)
    assert values(modcog.Battery.from_file(path, dt=50, tasks="yang19", timing={})) == {
        **EVERY, "dt": 50, "tasks": modcog.collection("yang19"), "timing": {},
    }  # fmt: skip


def test_a_collection_can_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "battery.yaml"
    path.write_text("tasks: interval-sequence\n")
    assert modcog.Battery.from_file(path).tasks == modcog.collection("interval-sequence")


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("dt", np.float32(50), 50.0),
        ("dt", np.array(50), 50.0),
        ("sigma", 0, 0.0),
        ("omega", np.int64(1), 1.0),
        ("dim_ring", 16.0, 16),
        ("dim_ring", np.int32(4), 4),
        ("rule_input", np.bool_(True), True),
        ("interval", range(100, 400, 100), (100.0, 200.0, 300.0)),
        ("interval", np.array([100, 250]), (100.0, 250.0)),
        ("interval", None, None),
        ("coherences", [1], (1.0,)),
        ("strengths", np.float32([0.5, 2]), (0.5, 2.0)),
        ("timing", {"delay": np.int64(300)}, {"delay": 300.0}),
        ("timing", {"delay": np.array([300, 600])}, {"delay": ("choice", (300.0, 600.0))}),
        ("timing", {"delay": (300, 600)}, {"delay": ("choice", (300.0, 600.0))}),
        ("timing", {"delay": ["uniform", [300, 300]]}, {"delay": ("uniform", (300.0, 300.0))}),
        ("timing", {"delay": 0}, {"delay": 0.0}),
    ],
    ids=str,
)
def test_numbers_and_lists_of_any_library_are_kept_as_plain_ones(name: str, given: Any, kept: Any) -> None:
    found = values(modcog.Battery(["dlygo", "dlydm1"], **{name: given}))[name]
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("given", "form"),
    [
        (500, 500.0),
        ([300, 600], ("choice", (300.0, 600.0))),
        (("choice", [300, 600]), ("choice", (300.0, 600.0))),
        (("uniform", (300, 600)), ("uniform", (300.0, 600.0))),
        (("constant", 300), 300.0),
        (["constant", np.float32(300)], 300.0),
        (("constant", [300]), 300.0),
        (("truncated_exponential", (300, 100, 900)), ("truncated_exponential", (300.0, 100.0, 900.0))),
        (("truncated_exponential", np.array([300])), ("truncated_exponential", (300.0,))),
        (("truncated_exponential", (300, 100, np.inf)), ("truncated_exponential", (300.0, 100.0))),
        (("truncated_exponential", (300, 900, 100)), 100.0),
        (abs, abs),
    ],
    ids=str,
)
def test_the_forms_of_a_duration(given: Any, form: Any) -> None:
    assert read_timing("delay", given) == form


def test_none_is_the_task_s_own_duration() -> None:
    assert modcog.Battery(["dms"], timing={"delay": None, "test": 300}) == modcog.Battery(["dms"], timing={"test": 300})
    assert modcog.Battery(["dms"], timing=None) == modcog.Battery(["dms"])
    published = modcog.Battery(["dms"], rules="published", timing={"delay": None})
    assert published.tables.timing.kept[0] >= 0, "the delay is no longer the kept one of P5"


def test_the_command_line_reads_every_distribution() -> None:
    from modcog.cli.options import duration

    texts = ["truncated_exponential:300,100,900", "constant:300", "uniform:300,900", "choice:300,900", "300,900", "300"]
    assert [read_timing("delay", duration(text)) for text in texts] == [
        ("truncated_exponential", (300, 100, 900)), 300, ("uniform", (300, 900)), ("choice", (300, 900)),
        ("choice", (300, 900)), 300,
    ]  # fmt: skip


def test_a_function_works_here_and_is_not_stored(tmp_path: Path) -> None:
    battery = modcog.Battery(["dms", "dlygo"], timing={"delay": lambda rng: rng.uniform(200, 500)})
    trials = battery.sample(40, seed=3)
    assert trials.rows[:9] == battery.sample(9, seed=3).rows
    assert len(set(trials.conditions["duration_delay"].tolist())) == 40
    assert next(battery.stream(4, 50, seed=0))[0].shape == (50, 4, 33)
    for refused in (
        battery.config.model_dump_json, lambda: battery.config.model_dump(mode="json"),
        lambda: modcog.data.export(tmp_path / "data", tasks=["dms"], timing=dict(battery.settings.timing)),
    ):  # fmt: skip
        with pytest.raises(ModcogError, match=r"timing: delay is a function, .*which cannot be stored") as caught:
            refused()
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*/*"))


def test_settings_do_not_change() -> None:
    battery = modcog.Battery(["dlygo"], timing={"delay": 300})
    with pytest.raises(FixedError, match=r"^dt: is fixed in these settings; make others with dt=5$"):
        battery.settings.dt = 5
    with pytest.raises(FixedError, match=r"^tasks: is fixed"):
        battery.config.tasks = ("go",)
    timing: Any = battery.settings.timing
    for write in (
        lambda: timing.__setitem__("delay", 5), lambda: timing.pop("delay"), lambda: timing.update(delay=5),
        timing.clear, timing.popitem, lambda: timing.setdefault("test", 5), lambda: timing.__delitem__("delay"),
        lambda: timing.__ior__({"delay": 5}),
    ):  # fmt: skip
        with pytest.raises(FixedError, match="timing: is fixed"):
            write()
    assert timing == {"delay": 300.0}
    for twin in (copy.deepcopy(battery.config), pickle.loads(pickle.dumps(battery.config)), battery.replace().config):
        assert twin == battery.config
        with pytest.raises(FixedError):
            twin.timing["delay"] = 5  # type: ignore[index]


# --- what is refused ---------------------------------------------------------------------------

NAN, INF = float("nan"), float("inf")
FORMS = "must be a number of ms, a list of numbers, ('uniform', (a, b)), ('choice', [...]), ('truncated_exponential', "
REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"dt": 0}, ["dt: got 0, must be greater than 0"]),
    ({"dt": -100}, ["dt: got -100, must be greater than 0"]),
    ({"dt": NAN}, ["dt: got nan, must be a finite number"]),
    ({"dt": INF}, ["dt: got inf, must be a finite number"]),
    ({"dt": "100"}, ["dt: got '100', must be a number"]),
    ({"dt": None}, ["dt: got None, must be a number"]),
    ({"dt": True}, ["dt: got True, must be a number"]),
    ({"dt": [100]}, ["dt: got [100], must be a number"]),
    ({"dt": 1j}, ["dt: got 1j, must be a number"]),
    ({"dt": 10**400}, ["dt: got 1000", "must be a number"]),
    ({"dt": 600}, ["dt: got 600", "500 ms", "stimulus of dlygointr", "at most 500"]),
    ({"dt": 1e-3}, ["dt: got 0.001", "trial of dlygointr", "1000000"]),
    ({"dt": 5e-324}, ["dt: got 4.94", "1000000"]),
    ({"sigma": -0.1}, ["sigma: got -0.1, must be greater than or equal to 0"]),
    ({"sigma": NAN}, ["sigma: got nan, must be a finite number"]),
    ({"sigma": 1e9}, ["sigma: got 1000000000.0, must be less than or equal to 1000000"]),
    ({"dim_ring": 2}, ["dim_ring: got 2, must be greater than or equal to 4"]),
    ({"dim_ring": 15}, ["dim_ring: got 15, must be even"]),
    ({"dim_ring": 16.5}, ["dim_ring: got 16.5, must be a whole number"]),
    ({"dim_ring": 2000}, ["dim_ring: got 2000, must be less than or equal to 1024"]),
    ({"dim_ring": "16"}, ["dim_ring: got '16', must be a number"]),
    ({"dim_ring": NAN}, ["dim_ring: got nan", "must be"]),
    ({"rules": "publishd"}, ["unknown rule set 'publishd'", "nearest: 'published'", "allowed: corrected, published"]),
    ({"rules": None}, ["unknown rule set None", "allowed: corrected, published"]),
    ({"rule_input": 1}, ["rule_input: got 1, must be true, false, 'one-hot' or 'compositional'"]),
    ({"rule_input": "yes"}, ["rule_input: got 'yes', must be true, false, 'one-hot' or 'compositional'"]),
    ({"omega": -0.01}, ["omega: got -0.01, must be greater than or equal to 0"]),
    ({"omega": INF}, ["omega: got inf, must be a finite number"]),
    ({"omega": 1e4}, ["omega: got 10000.0, must be less than or equal to 1000"]),
    ({"interval": []}, ["interval: got (), must have 1 or more values"]),
    ({"interval": 100}, ["interval: got 100, must be a list of numbers"]),
    ({"interval": {100, 200}}, ["interval: got {", "must be a list of numbers"]),
    ({"interval": ["100"]}, ["interval: got ['100'], must be a list of numbers"]),
    ({"interval": [100, -1]}, ["interval.1: got -1, must be greater than or equal to 0"]),
    ({"interval": [NAN]}, ["interval.0: got nan, must be a finite number"]),
    ({"interval": [1e9]}, ["interval: delay of dlygointr can last 1e+09 ms", "at most 1000000"]),
    ({"interval": [50], "tasks": ["gointr"]}, ["interval: stimulus of gointr can last 50 ms", "at least 100"]),
    ({"coherences": []}, ["coherences: got (), must have 1 or more values"]),
    ({"coherences": [0]}, ["coherences.0: got 0, must be greater than 0"]),
    ({"coherences": [0.5, 1.5]}, ["coherences.1: got 1.5, must be less than or equal to 1"]),
    ({"coherences": [0.5, 0.5]}, ["coherences: got [0.5, 0.5], must not repeat a value"]),
    ({"coherences": 0.5}, ["coherences: got 0.5, must be a list of numbers"]),
    ({"coherences": [1e-12]}, ["coherences: (1e-12,)", "differ"]),
    ({"strengths": [0.5]}, ["strengths: got (0.5,), must have 2 or more values"]),
    ({"strengths": [0.5, -1]}, ["strengths.1: got -1, must be greater than 0"]),
    ({"strengths": [1, 1]}, ["strengths: got [1, 1], must not repeat a value"]),
    ({"strengths": None}, ["strengths: got None, must be a list of numbers"]),
    ({"timing": 500}, ["timing: got 500, must map period names to durations"]),
    ({"timing": {"dely": 500}}, ["unknown period in timing 'dely'", "nearest: 'delay'", "fixation, stimulus, delay"]),
    ({"timing": {"stim3": 500}}, ["unknown period in timing 'stim3'", "nearest: 'stim", "allowed: fixation"]),
    ({"timing": {"delay": "500"}}, ["timing: delay: got '500'", FORMS]),
    ({"timing": {"delay": True}}, ["timing: delay: got True", FORMS]),
    ({"timing": {"delay": []}}, ["timing: delay: got []", FORMS]),
    ({"timing": {"delay": {1, 2}}}, ["timing: delay: got {1, 2}", FORMS]),
    ({"timing": {"delay": -1}}, ["timing: delay: got -1", "finite numbers of ms, from 0"]),
    ({"timing": {"delay": NAN}}, ["timing: delay: got nan", "finite numbers of ms, from 0"]),
    ({"timing": {"delay": [100, INF]}}, ["timing: delay: got [100, inf]", "finite numbers of ms, from 0"]),
    ({"timing": {"delay": 1e9}}, ["timing: delay of dlygointr can last 1e+09 ms", "at most 1000000"]),
    ({"timing": {"delay": ("normal", (1, 2))}}, ["kind of duration in timing of delay 'normal'", "uniform, choice"]),
    (
        {"timing": {"delay": ("until", 900)}},
        ["kind of duration", "'until'", "allowed: uniform, choice"],
    ),
    ({"timing": {"delay": ("constant", (1, 2))}}, ["timing: delay: got ('constant', (1, 2))", "takes one duration"]),
    ({"timing": {"delay": ("constant", "5")}}, ["timing: delay: got ('constant', '5')", FORMS]),
    ({"timing": {"delay": ("truncated_exponential", (0, 1))}}, ["timing: delay", "a mean greater than 0"]),
    ({"timing": {"delay": ("truncated_exponential", (5, 1, 9, 2))}}, ["timing: delay", "takes a mean"]),
    ({"timing": {"delay": ("truncated_exponential", (5, -1))}}, ["timing: delay", "finite numbers of ms, from 0"]),
    ({"timing": {"delay": ("truncated_exponential", 5)}}, ["timing: delay: got ('truncated_exponential', 5)", FORMS]),
    ({"timing": {"delay": ("truncated_exponential", (1e7,))}}, ["timing: delay of dlygointr can last 3.67368e+08 ms"]),
    ({"timing": {"decision": ("truncated_exponential", (500,))}}, ["timing: decision of dlygointr can last 0 ms"]),
    ({"timing": {"delay": lambda a, b: 5}}, ["timing: delay: <function", "needs the arguments a, b", "as rng"]),
    ({"timing": {"dely": lambda: 5}}, ["unknown period in timing 'dely'"]),
    ({"timing": {"delay": ("uniform", (9, 1))}}, ["timing: delay: got ('uniform', (9, 1))", "(a, b) with a ≤ b"]),
    ({"timing": {"delay": ("uniform", (1, 2, 3))}}, ["timing: delay", "takes two durations (a, b)"]),
    (
        {"timing": {"decision": 0}},
        ["timing: decision of dlygointr can last 0 ms", "without a decision", "at least 100"],
    ),
    ({"timing": {"decision": ("uniform", (99, 500))}}, ["timing: decision", "99 ms", "without a decision"]),
    ({"timing": {"sample": [500, 50]}}, ["timing: sample of dms can last 50 ms", "without a visible stimulus"]),
    ({"dtt": 100}, ["unknown setting 'dtt'", "nearest: 'dt'", "allowed: dt, sigma, dim_ring"]),
    ({"dt": -1, "sigma": -1}, ["dt: got -1", "; sigma: got -1"]),
]


@pytest.mark.parametrize(("wrong", "says"), REFUSED, ids=lambda value: re.sub(r" at 0x\w+", "", str(value))[:60])
def test_a_wrong_setting_is_named_with_what_is_allowed(wrong: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(ModcogError) as caught:
        modcog.Battery(**{"tasks": ["dlygointr", "dms", "dm1", "multidlydm"], **wrong})
    message = str(caught.value)
    assert [words for words in says if words not in message] == [], message
    assert "\n" not in message
    assert "pydantic" not in message


@pytest.mark.parametrize("period", ["decision", "stimulus"])
def test_the_shortest_playable_duration_is_one_step(period: str) -> None:
    """At dt 33.3, 33.3 ms will do and 33.2 will not."""
    modcog.Battery(["go"], dt=33.3, timing={period: 33.3}).sample(3, seed=0)
    with pytest.raises(ModcogError, match=rf"timing: {period} of go can last 33.2 ms"):
        modcog.Battery(["go"], dt=33.3, timing={period: 33.2})


def test_a_setting_that_some_tasks_cannot_have_is_fine_for_the_others() -> None:
    """A delay of no length leaves a trial; a period that one task has may be set."""
    made = modcog.Battery(["dlygointr", "dms", "go"], interval=[0, 30], timing={"sample": 200})
    assert set(made.sample(per_task=20, seed=0).conditions["steps_sample"].tolist()) == {-1, 2}


# --- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.toml", "dt = ", ["a.toml cannot be parsed"]),
        ("a.yaml", "dt: [1, 2", ["a.yaml cannot be parsed"]),
        ("a.yaml", "!!python/object/apply:os.getcwd []", ["a.yaml cannot be parsed"]),
        ("a.json", "{", ["a.json cannot be parsed"]),
        ("a.json", "[" * 100_000, ["a.json cannot be parsed"]),
        ("a.toml", b"\xff\xfe\x00", ["a.toml cannot be parsed"]),
        ("a.yaml", "", ["a.yaml holds no settings"]),
        ("a.yaml", "- dt\n- 5", ["a.yaml holds no settings", "a table of names and values"]),
        ("a.json", "5", ["a.json holds no settings"]),
        ("a.yaml", "5: 5", ["a.yaml", "a setting called 5", "must be text"]),
        ("a.ini", "dt=5", ["a.ini", "'.ini'", ".toml, .yaml, .yml and .json"]),
        ("a", "dt=5", ["ending ''", ".toml"]),
        ("a.toml", "dtt = 5", ["unknown setting 'dtt'", "nearest: 'dt'"]),
        ("a.toml", "dt = -5", ["dt: got -5, must be greater than 0"]),
        ("a.toml", "dt = nan", ["dt: got nan, must be a finite number"]),
        ("a.json", '{"dt": NaN}', ["dt: got nan, must be a finite number"]),
        ("a.yaml", "timing: {delay: [uniform, 5]}", ["timing: delay", "must be"]),
        ("a.yaml", "tasks: [yang19]", ["the collection 'yang19' in a list"]),
        ("a.yaml", "tasks:", ["tasks: got None"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_file_that_is_wrong_is_refused_in_one_line(
    tmp_path: Path, name: str, content: str | bytes, says: list[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ModcogError) as caught:
        modcog.Battery.from_file(path)
    message = str(caught.value)
    assert [words for words in says if words not in message] == [], message
    assert "\n" not in message


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    for path, why in [(tmp_path / "none.toml", "No such file"), (tmp_path / "a.toml", "Is a directory")]:
        if "directory" in why:
            path.mkdir()
        with pytest.raises(ModcogError, match=why) as caught:
            read_settings(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("path", [None, 5, b"a.toml", ["a.toml"]], ids=repr)
def test_a_path_that_is_none_is_refused(path: Any) -> None:
    with pytest.raises(ModcogError, match=r"path: got .*must be the path of a"):
        read_settings(path)


def test_unknown_settings_are_key_errors_too() -> None:
    with pytest.raises(UnknownNameError):
        modcog.Battery(["go"], tme_step=5)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """As some editors write it."""
    for name, text in [("a.toml", TOML), ("a.yaml", YAML), ("a.json", '{"dt": 50}')]:
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert "dt" in read_settings(tmp_path / name)


def test_comments_and_unicode_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "größe.toml"
    path.write_text(textwrap.dedent("# Größe\ndt = 50\n"), encoding="utf-8")
    assert read_settings(path) == {"dt": 50}
