"""Every measure against the definitions, computed trial by trial in plain Python, on actions of many kinds."""

import numpy as np
import pytest

import modcog
from modcog import Battery, ModcogError, UnknownNameError
from modcog.evaluation import MEASURES, evaluate, score
from modcog.settings import RULES
from tests.evaluation.simulated import records

TASKS = ["go", "dlygointr", "goseql", "dm1", "dlydm2seqr", "dms", "dnmcintrseqr"]


def defined(labels, actions, start, length, tolerance=36.0):
    """Return the values of one trial by the definitions; None where a measure is undefined."""
    right, errors, silent, asked = [], [], 0, 0
    for step in range(start, length):
        label, action = int(labels[step]), int(actions[step])
        right.append(label == action)
        if label:
            asked += 1
            silent += action == 0
            if action:
                turn = abs(label - action) * 22.5
                errors.append(min(turn, 360 - turn))
    early = any(actions[step] for step in range(start))
    label, action = int(labels[length - 1]), int(actions[length - 1])
    turn = abs(label - action) * 22.5
    near = (label == action == 0) or (label != 0 and action != 0 and min(turn, 360 - turn) <= tolerance)
    return {
        "decision": sum(right) / len(right),
        "trial": float(all(right) and not early),
        "last_step": float(right[-1]),
        "directional": float(near),
        "angular_error": sum(errors) / len(errors) if errors else None,
        "unanswered": silent / asked if asked else None,
        "pooled": (sum(right), len(right)),
    }


def played(kind, trials, rng):
    labels = np.maximum(trials.labels, 0)
    if kind == "right":
        return labels
    if kind == "one position off":
        return np.where(labels > 0, 1 + labels % 16, 0)
    if kind == "two positions off":
        return np.where(labels > 0, 1 + (labels + 1) % 16, 0)
    if kind == "silent":
        return np.zeros_like(labels)
    if kind == "early":
        return np.where(np.arange(labels.shape[1]) == trials.decision_start[:, None] - 1, 5, labels)
    if kind == "late":
        return np.where(np.arange(labels.shape[1]) == trials.decision_start[:, None], 0, labels)
    return rng.integers(0, 17, labels.shape)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("form", ["actions", "logits"])
@pytest.mark.parametrize(
    "kind", ["right", "one position off", "two positions off", "silent", "early", "late", "random"]
)
def test_all_measures_are_what_their_definitions_say(kind, form, rules):
    rng = np.random.default_rng(5)
    trials = Battery(TASKS, rules=rules).sample(per_task=12, seed=2)
    actions = played(kind, trials, rng)
    output = actions if form == "actions" else np.eye(17)[actions] + 0.3 * rng.random((*actions.shape, 17))
    found = score(output, trials)
    one_by_one = [
        defined(trials.labels[i], actions[i], trials.decision_start[i], trials.lengths[i]) for i in range(len(trials))
    ]
    for measure in MEASURES:
        tasks = []
        for k in range(len(TASKS)):
            values = [one_by_one[i][measure] for i in np.flatnonzero(trials.task == k)]
            if measure == "pooled":
                tasks.append(sum(right for right, _ in values) / sum(steps for _, steps in values))
            else:
                values = [value for value in values if value is not None]
                tasks.append(sum(values) / len(values) if values else np.nan)
        np.testing.assert_allclose(list(found.per_task(measure).values()), tasks, err_msg=measure)
        if measure == "pooled":
            expected = sum(one["pooled"][0] for one in one_by_one) / sum(one["pooled"][1] for one in one_by_one)
        else:
            known = [value for value in tasks if not np.isnan(value)]
            expected = sum(known) / len(known) if known else np.nan
        assert found.mean(measure) == pytest.approx(expected, nan_ok=True), measure
        assert found.table()["battery"][measure].value == pytest.approx(expected, nan_ok=True), measure
    assert getattr(found, MEASURES["pooled"].column) == found.mean("pooled")


def test_the_names_of_the_means():
    scores = score(np.maximum((trials := Battery(["go"]).sample(5, seed=0)).labels, 0), trials)
    for measure, entry in MEASURES.items():
        assert getattr(scores, entry.column) == scores.mean(measure)
    assert scores.decision_accuracy == scores.last_step_accuracy == scores.pooled_accuracy == 1
    assert scores.angular_error == scores.unanswered == 0


def test_the_tolerance_is_a_parameter():
    battery = Battery(["go"])

    trials = battery.sample(30, seed=1)
    off = played("two positions off", trials, None)
    assert score(off, trials).directional_accuracy == 0  # 45°
    assert score(off, trials, tolerance=45).directional_accuracy == 1
    assert (
        evaluate(lambda x: np.zeros(x.shape[:2], int), battery, 3, tolerance=180).directional_accuracy == 0
    )  # to hold is no direction
    for wrong in (-1, 181, "36", None, True, float("nan")):
        with pytest.raises(ModcogError, match="tolerance"):
            score(off, trials, tolerance=wrong)


def test_an_undefined_angle_is_left_out_of_the_mean_over_tasks():
    trials = Battery(["go", "dlygo"]).sample(per_task=10, seed=3)
    actions = np.maximum(trials.labels, 0)
    actions[trials.task == 0] = 0
    scores = score(actions, trials)
    assert np.isnan(scores.per_task("angular_error")["go"])
    assert scores.angular_error == 0
    assert scores.unanswered == 0.5


# --- by condition ---


@pytest.fixture(scope="module")
def scored():
    """Right in match tasks; in dm1 right where the coherence is at least 0.3; in dlygointr up to 600 ms."""
    trials = Battery(["dm1", "dlygointr", "dms"]).sample(per_task=300, seed=7)
    good = (trials.task == 2) | (trials.conditions["coherence"] > 0.3) | (trials.conditions["interval_ms"] <= 600)
    return score(np.where(good[:, None], np.maximum(trials.labels, 0), 0), trials), trials


def test_scores_by_a_condition_are_those_of_the_trials_that_have_it(scored):
    scores, trials = scored
    table = scores.by("coherence")
    np.testing.assert_allclose(table["coherence"], [0.08, 0.16, 0.32, 0.64])
    np.testing.assert_allclose(table["value"], [0, 0, 1, 1])
    assert table["n"].sum() == 300
    table = scores.by("interval_ms", task="dlygointr")
    np.testing.assert_array_equal(table["interval_ms"], np.arange(100, 1300, 100))
    np.testing.assert_array_equal(table["value"], np.arange(12) < 6)
    for ms, n in zip(table["interval_ms"], table["n"], strict=True):
        assert n == np.sum(trials.conditions["interval_ms"] == ms)


def test_two_conditions_at_once_and_another_measure(scored):
    scores, _ = scored
    table = scores.by("match", "modality", kind="trial")
    assert len(table) == 4
    assert table["n"].sum() == 300
    np.testing.assert_allclose(table["value"], 1)
    assert len(scores.by("coherence", "evidence")) == 8


def test_a_continuous_condition_is_binned_by_quantiles_or_by_edges(scored):
    scores, trials = scored
    delays = trials.conditions["duration_delay"][trials.task == 2]
    table = scores.by("duration_delay", task="dms")
    assert len(table) == 8
    assert table["n"].max() - table["n"].min() <= 1
    table = scores.by("duration_delay", task="dms", bins=[200, 700, 1200])
    np.testing.assert_array_equal(table["n"], [np.sum(delays < 700), np.sum(delays >= 700)])
    assert table["duration_delay"][0] == pytest.approx(delays[delays < 700].mean())
    assert len(scores.by("duration_delay", task="dms", bins=3)) == 3


def test_intervals_by_condition_are_as_wide_as_the_binomial_says():
    trials = Battery(["go"]).sample(800, seed=7)
    actions = np.maximum(trials.labels, 0)
    actions[::2] = 0
    for row in records(score(actions, trials).by("modality")):
        assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(row["n"]), rel=0.15)
        assert row["low"] < row["value"] < row["high"]


def test_without_pandas_the_table_is_an_array(scored, monkeypatch):
    framed = scored[0].by("coherence")
    monkeypatch.setattr("modcog.evaluation.scores.find_spec", lambda name: None)
    plain = scored[0].by("coherence")
    assert isinstance(plain, np.ndarray)
    for name in ("coherence", "n", "value", "low", "high"):
        np.testing.assert_array_equal(plain[name], framed[name])


def test_a_users_own_condition_splits_scores(scored):
    loud = modcog.Condition("loud", "flag", "how it is")
    periods = {"fixation": 200, "light": 300, "decision": 200}

    def draw(t):
        return modcog.Outcome(4 + 4 * t["loud"], [modcog.Stimulus(0, 1, 4 + 4 * t["loud"])])

    modcog.add_base(modcog.Base("lamp", "own", "Look.", periods, ("light",), (loud,), draw))
    try:
        table = evaluate(lambda x: np.full(x.shape[:2], 5), Battery(["lamp"]), 40).by("loud")
    finally:
        modcog.remove_base("lamp")
    np.testing.assert_allclose(table["value"], [1, 0])


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda s: s.by(), ModcogError, "at least one"),
        (lambda s: s.by("coherense"), UnknownNameError, "coherence"),
        (lambda s: s.by("coherence", task="dm2"), UnknownNameError, "dm1"),
        (lambda s: s.by("coherence", kind="trials"), UnknownNameError, "trial"),
        (lambda s: s.by("coherence", task="dms"), ModcogError, "no trial of dms"),
        (lambda s: s.by("coherence", bins=[2, 3]), ModcogError, "bins"),
        (lambda s: s.by("coherence", bins=[1, 0]), ModcogError, "increase"),
        (lambda s: s.by("coherence", bins=0), ModcogError, "bins"),
        (lambda s: s.by("coherence", bins="few"), ModcogError, "bins"),
    ],
)
def test_what_cannot_be_split_is_refused_in_a_sentence(scored, call, error, says):
    with pytest.raises(error, match=says) as caught:
        call(scored[0])
    assert "\n" not in str(caught.value)
