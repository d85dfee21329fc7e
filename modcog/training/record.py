"""Content of the text files that a run leaves, typed, so that a damaged one is found where it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from modcog.tables import Brief
from modcog.validation import validated

RUN = "run.json"
"""Name of the record of a run in its folder."""

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10**18)]
Accuracy = Annotated[float, Field(ge=0, le=1)]
Angle = Annotated[float, Field(ge=0, le=180)]
Accuracies = dict[str, Accuracy]
Status = Literal["running", "finished", "reached", "interrupted", "diverged"]


@dataclass
class Reached:
    """Trials and seconds of training after which an accuracy was first reached."""

    trials: Count
    seconds: Amount


@dataclass
class Progress:
    """Progress of a run.

    Attributes:
        step: number of updates; also the number of the next minibatch.
        trials: number of trials trained on.
        seconds: time spent on training, without evaluation.
        loss: running mean of the loss; None before the first update.
        milestones: trials and seconds at which a mean decision accuracy, in percent, was first reached.
    """

    step: Count = 0
    trials: Count = 0
    seconds: Amount = 0.0
    loss: float | None = None
    milestones: dict[str, Reached] = field(default_factory=dict)


@dataclass(kw_only=True)
class Point:
    """A point of a learning curve: progress, and the means of all measures; None in runs of earlier versions."""

    step: Count
    trials: Count
    seconds: Amount
    decision_accuracy: Accuracy
    trial_accuracy: Accuracy
    last_step_accuracy: Accuracy | None = None
    directional_accuracy: Accuracy | None = None
    angular_error: Angle | None = None
    unanswered: Accuracy | None = None
    pooled_accuracy: Accuracy | None = None


@dataclass(kw_only=True, repr=False)
class Evaluation(Brief, Point):
    """An evaluation of a run: a line of ``metrics.jsonl``, and what ``train`` gives to ``on_evaluation``.

    Attributes:
        step: number of updates.
        trials: number of trials trained on.
        seconds: time spent on training, without evaluation.
        decision_accuracy: mean over the tasks, on the held-out trials; the other means, such as ``trial_accuracy``, are
            those of ``modcog.evaluation.Scores``, None where they are undefined.
        decision_accuracy_per_task: decision accuracy of each task by name; so for trial and directional accuracy.
        loss: running mean of the loss; None before the first update.
        learning_rate: rate of the next update.
    """

    decision_accuracy_per_task: Accuracies
    trial_accuracy_per_task: Accuracies
    directional_accuracy_per_task: Accuracies | None = None
    loss: float | None
    learning_rate: float


class LastScores(BaseModel):
    """The scores of the last evaluation, and its step."""

    model_config = ConfigDict(strict=True)

    step: Count = 0
    decision_accuracy: Accuracy
    trial_accuracy: Accuracy
    decision_accuracy_per_task: Accuracies
    trial_accuracy_per_task: Accuracies


class Record(Brief, BaseModel):
    """Content of ``run.json``; names that only a newer version knows are left out."""

    status: Status
    config: dict[str, Any]
    seed: int
    progress: Progress
    scores: dict[str, Any]
    versions: dict[str, str]
    git: dict[str, Any] | None

    @field_validator("scores")
    @classmethod
    def _complete_or_empty(cls, scores: dict[str, Any]) -> dict[str, Any]:
        if scores:
            validated(LastScores, {name: scores[name] for name in LastScores.model_fields if name in scores})
        return scores
