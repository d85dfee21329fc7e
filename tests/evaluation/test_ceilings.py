"""Chance and ceilings of whole batteries: what is stored, what is computed, and what stands in for what."""

import closed_form
import numpy as np
import pytest
from scipy.stats import norm

import modcog
from modcog import TASKS, Battery, ModcogError, UnknownNameError
from modcog.evaluation import STRATEGIES, IdealObserver, Level, evaluate, format_table, levels, score
from modcog.evaluation.ceilings import stored
from modcog.settings import RULES
from modcog.tasks.names import parse
from tests.benchmarks import store_ceilings
from tests.evaluation.simulated import simulate


@pytest.mark.parametrize("rules", RULES)
def test_the_package_stores_the_levels_of_all_tasks_under_the_default_settings(rules):
    found = levels(Battery("modcog132", rules=rules))
    assert tuple(found) == TASKS
    assert stored()[Battery(rules=rules).settings.model_dump_json()] == found
    for task, level in found.items():
        assert tuple(level.values) == STRATEGIES
        for kind in ("decision", "trial", "last_step", "directional", "pooled"):
            chance, ceiling = level.ends(kind)
            assert 0 <= chance <= ceiling <= 1, (task, kind)
        assert level.ends("decision")[0] < level.ends("decision")[1], task
        assert level.error < 0.0002, task


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("task", ["dm1seqr", "multidm", "dmcintrseql", "gointr"])
def test_what_is_stored_is_what_comes_out_anew(task, rules):
    kept = levels(Battery([task], rules=rules))[task]
    anew = levels(Battery([task], rules=rules), n_trials=1000, seed=9)[task]
    for strategy, values in kept.values.items():
        for kind, value in values.items():
            slack = 5 if kind == "angular_error" else 4.5 * anew.error + 0.03 * (strategy != "ideal") + 1e-5
            assert anew.values[strategy][kind] == pytest.approx(value, abs=slack), (strategy, kind)


def test_chance_by_hand():
    """One of 16; half; and under the label 0 of the published rules a sixteenth of the other half, too."""
    corrected, published = levels(Battery()), levels(Battery(rules="published"))
    for task, level in corrected.items():
        known = 0.5 if parse(task).family == "match" else 1 / 16
        whole = 0.5 if parse(task).family == "match" else 1 / 16
        assert (level.ends("decision")[0], level.ends("trial")[0]) == pytest.approx((known, whole)), task
    blind = {task: level.values["blind"] for task, level in published.items()}
    assert blind["dms"]["decision"] == pytest.approx(0.5 + 0.5 / 16)
    assert blind["dmsseql"]["decision"] == pytest.approx(0.5 + 0.5 / 16)
    assert blind["dmsseql"]["trial"] == pytest.approx(0.5)
    assert blind["dmc"]["decision"] == pytest.approx(0.5 + 0.5 * 7 / 16 / 8)  # 7 of 16 samples ask for 8 … 15
    assert blind["rtgoseqr"]["decision"] == pytest.approx(1 / 16)


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
    assert found == pytest.approx(levels(battery, 10)[task].ends("decision")[0], abs=4 * np.sqrt(0.25 / 4000))


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("task", ["dm2seql", "dlydm1intrseqr", "dnmcintl", "dmsintrseqr", "gointl", "rtantiseqr"])
def test_the_levels_are_those_of_the_tasks_own_trials(task, rules):
    """Though beliefs are those of the base task, and trials are enumerated."""
    settings = {"dim_ring": 8, "sigma": 4.0}
    battery = Battery([task], rules=rules, **settings)
    own = simulate(IdealObserver(task, battery.settings), 3000)
    level = levels(battery, 3000)[task]
    near = 4.5 * np.hypot(own.error, level.error) + 1e-9
    assert own.decision_ceiling == pytest.approx(level.ends("decision")[1], abs=near)
    assert own.trial_ceiling == pytest.approx(level.ends("trial")[1], abs=near)
    assert own.decision_chance == pytest.approx(level.ends("decision")[0], abs=0.01)  # how long trials last is drawn


def test_other_settings_are_computed_and_the_rule_input_is_no_other_setting():
    quiet = levels(Battery(["dm1"], sigma=0.25), n_trials=2000)["dm1"]
    assert quiet.ends("decision")[1] > levels(Battery(["dm1"]))["dm1"].ends("decision")[1] + 0.02
    assert levels(Battery(["dm1", "go"], rule_input=True)) == levels(Battery(["dm1", "go"]))
    seen = []
    again = levels(Battery(["dm1", "dm1seqr"], sigma=0.25), n_trials=2000, progress=seen.append)
    assert again["dm1"] == quiet
    assert again["dm1seqr"].values["ideal"] == pytest.approx(quiet.values["ideal"])
    assert seen == ["dm1", "dm1seqr"]


def test_the_tolerance_counts_for_the_directional_accuracy_only():
    blind = {angle: levels(Battery(["go"]), tolerance=angle)["go"].values["blind"] for angle in (0, 36, 180)}
    assert [one["directional"] for one in blind.values()] == pytest.approx([1 / 16, 3 / 16, 1])
    assert blind[0]["decision"] == blind[180]["decision"]


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
    assert found.ends("decision") == pytest.approx((chance, ceiling))
    assert found.ends("last_step") == pytest.approx((chance, ceiling))
    assert found.ends("trial") == pytest.approx((chance, ceiling))


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
    assert found.ends("decision")[1] == pytest.approx(known, abs=4 * found.error)


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
        for task, level in levels(Battery("yang19")).items():
            for strategy, values in computed[task].values.items():
                assert level.values[strategy] == pytest.approx(values, abs=1e-6)
    finally:
        stored.cache_clear()


@pytest.mark.parametrize("n_trials", [0, -1, 2.5, True])
def test_a_wrong_number_of_trials_is_refused(n_trials):
    with pytest.raises(ModcogError, match="n_trials"):
        levels(Battery(["go"]), n_trials=n_trials)


# --- shares ---


def level(chance: float, ceiling: float, between: float | None = None) -> Level:
    names = {"blind": chance, "no-clock": between, "ideal": ceiling}
    return Level({name: {"decision": value} for name, value in names.items()})


def test_a_share_is_the_way_from_chance_to_ceiling():
    battery = Battery(["go", "dms"])
    given = {"go": level(0.1, 0.9), "dms": level(0.5, 1.0)}
    scores = evaluate(lambda x: np.zeros(x.shape[:2], int), battery, 400)
    table = {name: one["decision"] for name, one in scores.table(given).items()}
    held = table["dms"].value
    assert table["go"].share == pytest.approx(-0.1 / 0.8)
    assert table["dms"].share == pytest.approx((held - 0.5) / 0.5)
    assert table["battery"].share == pytest.approx((-0.125 + (held - 0.5) / 0.5) / 2)
    assert table["battery"].levels["ideal"] == pytest.approx(0.95)
    raw_low, raw_high = table["dms"].interval
    assert table["dms"].share_interval == pytest.approx(((raw_low - 0.5) / 0.5, (raw_high - 0.5) / 0.5))
    plain = scores.table()["dms"]["decision"]
    assert (plain.value, plain.share, plain.levels) == (held, None, {})


def test_a_share_can_start_at_the_best_strategy_that_lacks_something():
    battery = Battery(["go"])
    scores = evaluate(lambda x: np.zeros(x.shape[:2], int), battery, 10)
    between, none = level(0.1, 0.9, 0.5), level(0.1, 0.9, 0.9)  # without a clock: worse than ideal, and as good
    assert scores.table({"go": between}, floor="best")["go"]["decision"].share == pytest.approx(-0.5 / 0.4)
    assert scores.table({"go": between}, floor="no-clock")["go"]["decision"].share == pytest.approx(-0.5 / 0.4)
    assert scores.table({"go": none}, floor="best")["go"]["decision"].share == pytest.approx(-0.1 / 0.8)
    with pytest.raises(UnknownNameError, match="no-clock"):
        scores.table({"go": between}, floor="no-clok")


def test_the_share_of_an_error_is_one_where_the_error_is_least():
    given = {"go": Level({"blind": {"angular_error": 90.0}, "ideal": {"angular_error": 0.0}})}
    trials = Battery(["go"]).sample(40, seed=1)
    beside = np.where(trials.labels > 0, 1 + trials.labels % 16, 0)
    found = score(beside, trials).table(given)["go"]["angular_error"]
    assert (found.value, found.share) == pytest.approx((22.5, 0.75))


def test_the_blind_have_no_share_and_the_ideal_all_of_it():
    battery = Battery(["dm1"], coherences=[0.05])
    found = levels(battery, 4000)
    trials = battery.sample(4000, seed=8)
    ideal = score(IdealObserver("dm1", battery.settings).act(trials), trials).table(found)["dm1"]
    blind = score(np.where(np.arange(trials.mask.shape[1]) >= trials.decision_start[:, None], 3, 0), trials).table(
        found
    )
    assert ideal["decision"].share == pytest.approx(1, abs=0.03)
    assert blind["dm1"]["decision"].share == pytest.approx(0, abs=0.03)


def test_where_there_is_no_way_there_is_no_share():
    battery = Battery(["go"])
    table = evaluate(lambda x: np.zeros(x.shape[:2], int), battery, 10).table({"go": level(0.5, 0.5)})
    assert table["go"]["decision"].share is None
    assert table["battery"]["trial"].share is None
    assert "–" in format_table(table)


def test_levels_that_lack_a_task_are_refused():
    scores = evaluate(lambda x: np.zeros(x.shape[:2], int), Battery(["go", "dms"]), 5)
    with pytest.raises(UnknownNameError, match="dms"):
        scores.table(levels(Battery(["go"])))


def test_the_printed_table_has_a_row_for_each_group_and_task():
    battery = Battery(["go", "dms"])
    text = format_table(evaluate(lambda x: np.zeros(x.shape[:2], int), battery, 50).table(levels(battery)))
    first, second = (part.splitlines() for part in text.split("\n\n"))
    for lines in (first, second):
        assert [line.split("|")[1].strip() for line in lines[2:]] == [
            "battery", "family: go", "family: match", "extension: none", "go", "dms",
        ]  # fmt: skip
        assert len({len(line) for line in lines}) == 1
    assert "0.0 [0.0, 0.0]" in first[6]


@pytest.mark.parametrize("jobs", [0, -3, 1.5, True, "2", None])
def test_a_number_of_jobs_is_checked(jobs) -> None:
    with pytest.raises(ModcogError, match=r"^jobs: got .*, or -1 for one per core$"):
        levels(Battery(["go"]), jobs=jobs)
