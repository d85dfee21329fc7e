"""A user's function gets each evaluation once, may do as it likes, and is named if it fails."""

import json
import signal
import subprocess
import sys
from dataclasses import asdict

import pytest
import torch

from modcog import ModcogError
from modcog.training import Evaluation, loop, train
from modcog.training.metrics import read_metrics
from tests.training.test_loop import numbers, same, weights

SCRIPT = """
import os, sys
from modcog.training import TrainConfig, train
def log(evaluation):
    print(evaluation.step, flush=True)
    {}
train(TrainConfig.model_validate_json(sys.argv[1]), resume=True, on_evaluation=log)
"""


def run_script(config, body="pass"):
    """Resume a run in a process of its own; return its exit status, the steps it reported, and its errors."""
    script = config.out.with_suffix(".py")
    script.write_text(SCRIPT.format(body), encoding="utf-8")
    words = [sys.executable, script, config.model_dump_json()]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, [int(line) for line in done.stdout.split()], done.stderr


def test_each_evaluation_is_given_as_it_is_recorded(small):
    found: list[Evaluation] = []
    train(config := small(), on_evaluation=found.append)
    assert [asdict(one) for one in found] == read_metrics(config.out)
    assert [(one.step, one.trials) for one in found] == [(0, 0), (4, 32), (8, 64), (12, 96)]
    assert found[-1].decision_accuracy_per_task.keys() == {"go", "dm1seqr"}
    assert len(repr(found[-1]).splitlines()) == 1


def test_a_function_that_draws_and_writes_changes_no_number_of_the_run(small, tmp_path):
    def meddle(evaluation: Evaluation) -> None:
        torch.manual_seed(evaluation.step)
        torch.rand(7)
        evaluation.decision_accuracy = 1.0
        evaluation.decision_accuracy_per_task.clear()

    alone = small(out=tmp_path / "alone", model={"noise": 0.1}, target_accuracy=0.99)
    beside = small(model={"noise": 0.1}, target_accuracy=0.99)
    runs = train(alone), train(beside, on_evaluation=meddle)
    assert same(weights(alone), weights(beside))
    assert numbers(alone) == numbers(beside)
    assert runs[0].record["scores"] == runs[1].record["scores"]


def test_a_resumed_run_reports_no_step_twice(small):
    found: list[Evaluation] = []
    train(small(steps=8, schedule="constant"), on_evaluation=found.append)
    train(small(steps=12, schedule="constant"), resume=True, on_evaluation=found.append)
    train(small(steps=12, schedule="constant"), resume=True, on_evaluation=found.append)
    assert [one.step for one in found] == [0, 4, 8, 12]


@pytest.mark.slow
def test_nor_does_one_that_was_killed_while_it_reported(small):
    status, before, _ = run_script(small(), "if evaluation.step == 4: os.kill(os.getpid(), 9)")
    assert (status, before) == (-signal.SIGKILL, [0, 4])
    assert run_script(small())[:2] == (0, [8, 12])


@pytest.mark.parametrize("error", [ValueError("no\nroom"), SystemExit(3)])
def test_its_failure_is_one_line_and_the_run_goes_on_when_resumed(small, error):
    def fail(evaluation: Evaluation) -> None:
        if evaluation.step == 4:
            raise error

    found: list[Evaluation] = []
    with pytest.raises(ModcogError, match=f"^on_evaluation: failed at step 4: {type(error).__name__}: (no room|3)$"):
        train(small(), on_evaluation=fail)
    assert train(small(), resume=True, on_evaluation=found.append).status == "finished"
    assert [one.step for one in found] == [8, 12]


@pytest.mark.parametrize("wrong", ["wandb.log", 3, {"step": 1}])
def test_what_cannot_be_called_is_refused_before_any_work(small, wrong, monkeypatch):
    monkeypatch.setattr(loop, "_Loop", lambda *_: pytest.fail("work has begun"))
    with pytest.raises(ModcogError, match=r"^on_evaluation: got .*, must be a function of one argument, or None$"):
        train(small(), on_evaluation=wrong)


@pytest.mark.slow
def test_of_two_processes_the_first_reports(small):
    config = small(devices=2, accelerator="cpu", steps=2, eval_every=1)
    status, steps, errors = run_script(config)
    assert (status, steps) == (0, [0, 1, 2]), errors
    assert json.loads((config.out / "run.json").read_text())["status"] == "finished"


@pytest.mark.slow
def test_its_failure_in_one_of_two_processes_ends_both(small):
    status, steps, errors = run_script(small(devices=2, accelerator="cpu"), "1 / 0")
    assert status != 0
    assert steps == [0]
    assert "on_evaluation: failed at step 0: ZeroDivisionError: division by zero" in errors
