"""Chance and ceilings of whole batteries: what is stored, what is computed, and what stands in for what."""

import json
from dataclasses import asdict, astuple

import closed_form
import numpy as np
import pytest
from scipy.stats import norm

import modcog
from modcog import TASKS, Battery, ModcogError, UnknownNameError
from modcog.evaluation import IdealObserver, Level, evaluate, format_table, levels, score
from modcog.evaluation.ceilings import STORED, simulate, stand_in_for, stored
from modcog.settings import RULES
from modcog.tasks.names import parse
from tests.benchmarks import store_ceilings


@pytest.mark.parametrize("rules", RULES)
def test_the_package_stores_the_levels_of_all_tasks_under_the_default_settings(rules):
    found = levels(Battery("modcog132", rules=rules))
    assert tuple(found) == TASKS
    content = json.loads(STORED.read_text(encoding="utf-8"))
    assert tuple(content[rules]) == TASKS
    for task, level in found.items():
        assert content[rules][task] == list(asdict(level).values())
        assert 0 < level.decision_chance < level.decision_ceiling <= 1, task
        assert 0 < level.trial_chance < level.trial_ceiling <= 1, task
        assert level.error < 0.001, task


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("task", ["dm1seqr", "multidm", "dmcintrseql", "gointr"])
def test_what_is_stored_is_what_comes_out_anew(task, rules):
    kept = levels(Battery([task], rules=rules))[task]
    anew = levels(Battery([task], rules=rules), n_trials=1000, seed=9)[task]
    for name, value in asdict(kept).items():
        if name != "error":
            assert asdict(anew)[name] == pytest.approx(value, abs=4.5 * anew.error + 1e-3), name


def test_chance_by_hand():
    """One of 16; half; and under the label 0 of the published rules a sixteenth of the other half, too."""
    corrected, published = levels(Battery()), levels(Battery(rules="published"))
    for task, level in corrected.items():
        known = 0.5 if parse(task).family == "match" else 1 / 16
        assert (level.decision_chance, level.trial_chance) == pytest.approx((known, known)), task
    assert published["dms"].decision_chance == pytest.approx(0.5 + 0.5 / 16)
    assert published["dmsseql"].decision_chance == pytest.approx(0.5 + 0.5 / 16)
    assert published["dmsseql"].trial_chance == pytest.approx(0.5)
    assert published["dmc"].decision_chance == pytest.approx(0.5 + 0.5 * 7 / 16 / 8)  # 7 of 16 samples ask for 8 … 15
    assert published["rtgoseqr"].decision_chance == pytest.approx(1 / 16)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize(
    ("task", "delay"), [("go", {}), ("dm1seqr", {}), ("dms", {"delay": 500}), ("dnmcseqr", {"delay": 500})]
)
def test_no_course_of_actions_chosen_blindly_beats_chance(task, delay, rules):
    """Chosen in hindsight from the labels of many trials, step by step."""
    battery = Battery([task], rules=rules, timing={"fixation": 300, **delay})
    trials = battery.sample(4000, seed=3)
    start = trials.decision_start[0]
    labels = trials.labels[:, start:]
    shares = np.stack([(labels == action).mean(axis=0) for action in range(17)])
    actions = np.zeros_like(trials.labels)
    actions[:, start:] = shares.argmax(axis=0)
    found = score(actions, trials).per_task()[task]
    assert found == pytest.approx(levels(battery, 500)[task].decision_chance, abs=4 * np.sqrt(0.25 / 4000))


def test_which_tasks_stand_in_for_which():
    battery = Battery()
    others = [task for task in TASKS if not task.startswith(("goint", "rtgoseq", "rtantiseq"))]
    assert {stand_in_for(battery, task) for task in others} == set(Battery("yang19").tasks)
    assert stand_in_for(battery, "gointl") == "gointl"  # the timed period is the stimulus itself
    assert stand_in_for(battery, "rtgoseqr") == "rtgoseqr"  # the longer decision shows the stimulus for longer
    published = Battery(rules="published")
    assert stand_in_for(published, "ctxdlydm1intrseql") == "ctxdlydm1"
    assert stand_in_for(published, "dmsseqr") == "dmsseqr"  # labels collide at other steps
    loose = Battery(rules="published", timing={"delay": [100, 150]})
    assert stand_in_for(loose, "dlydm1intr") == "dlydm1intr"  # 100 and 150 ms are one step, and move by 1
    held = Battery(timing={"stimulus": 500})
    assert stand_in_for(held, "gointl") == "go"


@pytest.mark.parametrize("task", ["dm2seql", "dlydm1intrseqr", "dnmcintl"])
def test_a_stand_in_has_the_levels_of_what_it_stands_for(task):
    settings = {"dim_ring": 8, "sigma": 4.0}
    battery = Battery([task], **settings)
    own = simulate(IdealObserver(task, battery.settings), 3000)
    base = levels(battery, 3000)[task]
    assert stand_in_for(battery, task) == parse(task).base
    assert own.decision_ceiling == pytest.approx(base.decision_ceiling, abs=4.5 * np.hypot(own.error, base.error))
    assert own.decision_chance == pytest.approx(base.decision_chance)


def test_other_settings_are_computed_and_the_rule_input_is_no_other_setting():
    quiet = levels(Battery(["dm1"], sigma=0.25), n_trials=2000)["dm1"]
    assert quiet.decision_ceiling > levels(Battery(["dm1"]))["dm1"].decision_ceiling + 0.02
    assert levels(Battery(["dm1", "go"], rule_input=True)) == levels(Battery(["dm1", "go"]))
    seen = []
    again = levels(Battery(["dm1", "dm1seqr"], sigma=0.25), n_trials=2000, progress=seen.append)
    assert again == {"dm1": quiet, "dm1seqr": quiet}
    assert seen == ["dm1"]


WHERE = modcog.Condition("where", "direction", "where the light is")
ONE_OF_TWO = modcog.Condition("where", "direction", "where the light is", (0, 8))
COIN = modcog.Condition("coin", "flag", "decides and is not shown")
ONE_IN_FOUR = modcog.Condition("share", "count", "the light comes on if it is 0", (0, 1, 2, 3))


def light(t):
    return [modcog.Stimulus(0, 1, t["where"])]


@pytest.mark.parametrize(
    ("conditions", "draw", "chance", "ceiling"),
    [
        ((WHERE,), lambda t: modcog.Outcome(t["where"], light(t)), 1 / 16, 1),
        ((ONE_OF_TWO,), lambda t: modcog.Outcome(t["where"], light(t)), 1 / 2, 1),
        ((WHERE,), lambda t: modcog.Outcome(t["where"] // 4, light(t)), 1 / 4, 1),
        ((WHERE, COIN), lambda t: modcog.Outcome((t["where"] + 8 * t["coin"]) % 16, light(t)), 1 / 16, 1 / 2),
        ((WHERE, ONE_IN_FOUR), lambda t: modcog.Outcome(t["where"], light(t), t["share"] == 0), 3 / 4, 3 / 4),
        ((WHERE, ONE_IN_FOUR), lambda t: modcog.Outcome(
            t["where"], [modcog.Stimulus(0, 1, t["where"], 1.0 * (t["share"] == 0))], t["share"] == 0), 3 / 4, 1),
    ],
    ids=["shown", "one of two", "one of four", "a coin decides", "hold, not shown", "hold, shown"],
)  # fmt: skip
@pytest.mark.parametrize("task", ["light", "lightintl", "lightseqr"])
def test_levels_of_a_users_own_task_by_hand(task, conditions, draw, chance, ceiling):
    periods = {"fixation": 200, "light": 300, "delay": 300, "decision": 200}
    modcog.add_base(modcog.Base("light", "own", "Look.", periods, ("light",), conditions, draw, "delay"))
    try:
        found = levels(Battery([task]), 400)[task]
    finally:
        modcog.remove_base("light")
    assert (found.decision_chance, found.trial_chance) == pytest.approx((chance, chance))
    assert (found.decision_ceiling, found.trial_ceiling) == pytest.approx((ceiling, ceiling))


def test_ceiling_of_a_users_own_noisy_task_by_its_closed_form():
    """Which of two directions, seen in noise: the bumps are far apart, so only the distance of their means counts."""
    lasts, sigma = 3, 6.0
    periods = {"fixation": 200, "light": 100 * lasts, "decision": 200}
    modcog.add_base(modcog.Base("faint", "own", "Look.", periods, ("light",), (ONE_OF_TWO,),
                                lambda t: modcog.Outcome(t["where"], light(t)), noise="both"))  # fmt: skip
    try:
        found = levels(Battery(["faint"], sigma=sigma), 4000)["faint"]
    finally:
        modcog.remove_base("faint")
    apart = np.linalg.norm(closed_form.bump(0, 16) - closed_form.bump(8, 16)) * np.sqrt(lasts)
    known = norm.cdf(apart / 2 / (sigma / 10))
    assert 0.6 < known < 0.99
    assert found.decision_ceiling == pytest.approx(known, abs=4 * found.error)


def test_two_processes_find_what_one_finds():
    battery = Battery(["dm1", "dms", "go"], dim_ring=4)
    assert levels(battery, 300, jobs=2) == levels(battery, 300)


def test_what_the_script_stores_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("modcog.evaluation.ceilings.STORED", tmp_path / "levels.json")
    monkeypatch.setattr("modcog.evaluation.ceilings.RULES", ("corrected",))
    monkeypatch.setattr(store_ceilings, "RULES", ("corrected",))
    store_ceilings.store(n_trials=3, path=tmp_path / "levels.json", jobs=1)
    try:
        computed = levels(Battery("yang19"), 3)
        assert {name: astuple(level) for name, level in levels(Battery("yang19")).items()} == {
            name: tuple(round(value, 6) for value in astuple(level)) for name, level in computed.items()
        }
    finally:
        stored.cache_clear()


@pytest.mark.parametrize("n_trials", [0, -1, 2.5, True])
def test_a_wrong_number_of_trials_is_refused(n_trials):
    with pytest.raises(ModcogError, match="n_trials"):
        levels(Battery(["go"]), n_trials=n_trials)


# --- shares ---


def test_a_share_is_the_way_from_chance_to_ceiling():
    battery = Battery(["go", "dms"])
    given = {"go": Level(0.1, 0.9, 0.2, 0.8, 0.0), "dms": Level(0.5, 1.0, 0.4, 0.9, 0.0)}
    scores = evaluate(lambda x: np.zeros(x.shape[:2], int), battery, 400)
    table = scores.table(given)
    held = table["dms"].decision_accuracy
    assert table["go"].decision_share == pytest.approx(-0.1 / 0.8)
    assert table["go"].trial_share == pytest.approx(-0.2 / 0.6)
    assert table["dms"].decision_share == pytest.approx((held - 0.5) / 0.5)
    assert table["battery"].decision_share == pytest.approx((-0.125 + (held - 0.5) / 0.5) / 2)
    assert table["battery"].decision_ceiling == pytest.approx(0.95)
    low, high = table["dms"].decision_share_interval
    raw_low, raw_high = table["dms"].decision_interval
    assert (low, high) == pytest.approx(((raw_low - 0.5) / 0.5, (raw_high - 0.5) / 0.5))
    plain = scores.table()["dms"]
    assert (plain.decision_accuracy, plain.decision_share, plain.decision_ceiling) == (held, None, None)


def test_the_blind_have_no_share_and_the_ideal_all_of_it():
    battery = Battery(["dm1"], coherences=[0.05])
    found = levels(battery, 4000)
    trials = battery.sample(4000, seed=8)
    ideal = score(IdealObserver("dm1", battery.settings).act(trials), trials).table(found)["dm1"]
    blind = score(np.where(np.arange(trials.mask.shape[1]) >= trials.decision_start[:, None], 3, 0), trials).table(
        found
    )
    assert ideal.decision_share == pytest.approx(1, abs=0.03)
    assert blind["dm1"].decision_share == pytest.approx(0, abs=0.03)


def test_where_there_is_no_way_there_is_no_share():
    battery = Battery(["go"])
    table = evaluate(lambda x: np.zeros(x.shape[:2], int), battery, 10).table({"go": Level(0.5, 0.5, 0.1, 0.9, 0.0)})
    assert table["go"].decision_share is None
    assert table["battery"].trial_share == pytest.approx(-0.1 / 0.8)
    assert "–" in format_table(table)


def test_levels_that_lack_a_task_are_refused():
    scores = evaluate(lambda x: np.zeros(x.shape[:2], int), Battery(["go", "dms"]), 5)
    with pytest.raises(UnknownNameError, match="dms"):
        scores.table(levels(Battery(["go"])))


def test_the_printed_table_has_a_row_for_each_group_and_task():
    battery = Battery(["go", "dms"])
    text = format_table(evaluate(lambda x: np.zeros(x.shape[:2], int), battery, 50).table(levels(battery)))
    lines = text.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "battery", "family: go", "family: match", "extension: none", "go", "dms",
    ]  # fmt: skip
    assert len({len(line) for line in lines}) == 1
    assert "0.0 [0.0, 0.0]" in lines[6]


@pytest.mark.parametrize("jobs", [0, -3, 1.5, True, "2", None])
def test_a_number_of_jobs_is_checked(jobs) -> None:
    with pytest.raises(ModcogError, match=r"^jobs: got .*, or -1 for one per core$"):
        levels(Battery(["go"]), jobs=jobs)
