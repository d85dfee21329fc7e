"""Scores against cases worked out by hand, and against players whose accuracy is known."""

import numpy as np
import pytest

from modcog import Battery, ModcogError, UnknownNameError
from modcog.evaluation import evaluate, score


@pytest.fixture(scope="module")
def battery() -> Battery:
    return Battery(["go", "goseqr", "dms"], sigma=0)


@pytest.fixture(scope="module")
def trials(battery):
    return battery.sample(per_task=50, seed=0)


def test_the_labels_themselves_score_one(trials):
    scores = score(np.maximum(trials.labels, 0), trials)
    assert scores.decision_accuracy == scores.trial_accuracy == 1


def test_always_holding_fixation_is_right_where_fixation_is_asked_for(trials):
    per_task = score(np.zeros_like(trials.labels), trials).per_task()
    held = 1 - trials.conditions["respond"][trials.task == 2].mean()
    assert per_task == {"go": 0, "goseqr": 0, "dms": pytest.approx(held)}


def test_decision_accuracy_is_the_share_of_decision_steps(trials):
    actions = np.maximum(trials.labels, 0)
    sequence = np.flatnonzero(trials.task == 1)
    actions[sequence, trials.decision_start[sequence]] = 0  # the first of ten steps is missed
    scores = score(actions, trials)
    assert scores.per_task()["goseqr"] == pytest.approx(0.9)
    assert scores.trial_accuracy_per_task() == {"go": 1, "goseqr": 0, "dms": 1}


def test_an_early_response_spoils_the_trial_and_not_the_decision(trials):
    actions = np.maximum(trials.labels, 0)
    actions[:, 0] = 3
    scores = score(actions, trials)
    assert scores.decision_accuracy == 1
    assert scores.trial_accuracy == 0


def test_padding_does_not_count(trials):
    actions = np.where(trials.mask, trials.labels, 7)
    assert score(actions, trials).trial_accuracy == 1


def test_logits_are_read_as_their_largest(trials):
    actions = np.random.default_rng(0).integers(0, 17, trials.labels.shape)
    logits = np.eye(17)[actions] * 3 - 1
    of_logits, of_actions = score(logits, trials).values, score(actions, trials).values
    np.testing.assert_array_equal(of_logits["decision"], of_actions["decision"])


def test_groups_are_means_over_tasks_with_intervals_around_them(trials):
    actions = np.maximum(trials.labels, 0)
    actions[::3] = 0
    scores = score(actions, trials)
    table = scores.table(seed=1)
    assert set(table) == {
        "go", "goseqr", "dms", "battery", "family: go", "family: match", "extension: none", "extension: sequence",
    }  # fmt: skip
    per_task = scores.per_task()
    assert table["family: go"].decision_accuracy == pytest.approx((per_task["go"] + per_task["goseqr"]) / 2)
    for entry in table.values():
        low, high = entry.decision_interval
        assert low <= entry.decision_accuracy <= high
    assert table["battery"].n_trials == 150
    assert scores.table(seed=1) == table


def test_the_bootstrap_interval_is_as_wide_as_the_binomial_says():
    battery = Battery(["go"], sigma=0)
    trials = battery.sample(400, seed=0)
    actions = np.maximum(trials.labels, 0)
    actions[:200] = 0
    low, high = score(actions, trials).table()["go"].decision_interval
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.1)


def test_evaluate_takes_a_function_and_gives_every_task_its_trials(battery):
    seen = []

    def hold(observations):
        seen.append(len(observations))
        return np.zeros(observations.shape[:2], int)

    scores = evaluate(hold, battery, n_trials=700, seed=3)
    assert sum(seen[:-1]) == 2100  # the last call is the check that trials are kept apart
    assert np.bincount(scores.task).tolist() == [700] * 3


def test_evaluate_takes_a_torch_module_time_first_or_batch_first(battery):
    torch = pytest.importorskip("torch")

    class Reader(torch.nn.Module):
        """Responds in the direction of the brighter ring; a linear map, so that the order of axes shows."""

        def __init__(self, batch_first: bool) -> None:
            super().__init__()
            self.batch_first = batch_first
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, x):
            steps = x.shape[1] if self.batch_first else x.shape[0]
            assert steps < 60  # else the axes are swapped: 150 trials
            rings = x[..., 1:17] + x[..., 17:]
            return torch.cat([torch.full_like(x[..., :1], 0.5), rings], -1) * self.scale

    assert evaluate(Reader(True), battery, 50).per_task() == evaluate(Reader(False), battery, 50).per_task()


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (lambda x: np.zeros((len(x), 3)), "shape"),
        (lambda x: np.zeros((*x.shape[:2], 5)), "17"),
        (lambda x: np.full((*x.shape[:2], 17), np.nan), "NaN"),
        (lambda x: np.full(x.shape[:2], 0.5), "whole"),
        (lambda x: x[0, 0], "shape"),
        (lambda x: np.full(x.shape[:2], 17), "from 0 to 16"),
        (lambda x: np.full((*x.shape[:2], 17), np.inf), "infinite"),
        (lambda x: None, "NoneType"),
        (lambda x: x @ np.zeros((5, 17)), r"observations of shape .*33\), .*\d+, 17\)"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_wrong_output_is_refused_in_a_sentence(battery, output, says):
    with pytest.raises(ModcogError, match=says) as error:
        evaluate(output, battery, 5)
    assert "\n" not in str(error.value)


def test_something_that_cannot_be_called_is_refused(battery):
    with pytest.raises(ModcogError, match="predict"):
        evaluate(3, battery)


def test_a_part_of_the_battery_keeps_its_place_in_the_rule_input():
    battery = Battery(["go", "dm1", "dms"], rule_input=True)
    seen = []

    def hold(observations):
        seen.append(observations[:, 0, 33:].sum(axis=0))
        return np.zeros(observations.shape[:2])

    scores = evaluate(hold, battery, 30, tasks=["dms", "go"])
    assert seen[0].tolist() == [30, 0, 30]
    assert set(scores.per_task()) == {"go", "dms"}
    assert scores.groups()["battery"] == ("go", "dms")
    with pytest.raises(UnknownNameError, match="anti"):
        evaluate(hold, battery, 30, tasks=["anti"])


def test_evaluate_takes_tensors_that_need_a_gradient_and_are_of_16_bits(battery):
    torch = pytest.importorskip("torch")
    given = torch.nn.Parameter(torch.eye(17, dtype=torch.bfloat16)[0])
    scores = evaluate(lambda x: given.expand(*x.shape[:2], 17), battery, 20)
    assert scores.per_task()["go"] == 0
    assert scores.per_task()["dms"] > 0


def test_a_torch_module_is_heard_batch_first_if_a_part_of_it_is_and_is_left_in_its_modes(battery):
    torch = pytest.importorskip("torch")

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.GRU(33, 17, batch_first=True)
            self.frozen = torch.nn.Dropout().eval()

        def forward(self, x):
            assert not self.training
            assert x.shape[0] > x.shape[1]  # 60 trials of fewer steps
            return self.rnn(x)

    network = Network()
    evaluate(network, battery, 20)
    assert network.training
    assert not network.frozen.training


def test_something_that_is_no_battery_is_refused():
    with pytest.raises(ModcogError, match=r"modcog\.Battery"):
        evaluate(np.zeros_like, "go")


def test_scores_are_a_line_in_a_console_and_a_table_in_a_notebook() -> None:
    battery = Battery("yang19")
    scores = evaluate(lambda x: np.zeros(x.shape[:2], int), battery, n_trials=4)
    assert repr(scores) == "Scores(80 trials of 20 tasks: decision accuracy 10.0%, trial accuracy 10.0%)"
    table = scores._repr_html_()
    assert table.startswith("<table><caption>80 trials of 20 tasks: ")
    assert table.count("<tr>") == 1 + 1 + 3 + 1 + 20, "head, battery, families, extensions, tasks"
    assert '<td style="text-align:left">family: match</td><td style="text-align:right">4</td>' in table
    few = evaluate(lambda x: np.zeros(x.shape[:2], int), battery, n_trials=4, tasks=["go"])
    assert repr(few) == "Scores(4 trials of go: decision accuracy 0.0%, trial accuracy 0.0%)"
