"""What a report holds: the content of ``report.json``, and all that the page and the Markdown show."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

OWN = "own network"
"""What the network that is reported on is called beside the references."""

REACHED = ("50", "75", "90")
"""Mean decision accuracies in percent that a report counts trials to."""


class Part(BaseModel):
    """What every part of a report has: it does not change, and knows no other fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(Part):
    """A mean with its 95 % interval, from 0 to 1."""

    mean: float
    low: float
    high: float


class Row(Part):
    """Scores of a task, or the mean over the tasks of a group."""

    kind: Literal["battery", "family", "extension", "task"]
    name: str = Field(description="Of the task, family or extension; 'all tasks' of the battery.")
    tasks: tuple[str, ...] = Field(description="The tasks it is about.")
    decision: Interval = Field(description="Decision accuracy.")
    trial: Interval = Field(description="Trial accuracy.")
    chance: float | None = Field(description="Decision accuracy of a player who sees no stimulus; None: not known.")
    ceiling: float | None = Field(description="Decision accuracy of the ideal observer; None: not known.")
    share: Interval | None = Field(description="How far decision accuracy is from chance (0) to the ceiling (1).")
    references: dict[str, float] = Field(description="Decision accuracy of those references that know these tasks.")


class Reached(Part):
    """When a mean decision accuracy was first reached in training."""

    trials: float = Field(description="Mean over the seeds that reached it.")
    seeds: int = Field(description="How many did.")
    of: int = Field(description="Of so many.")


class Cost(Part):
    """What a network costs; a mean over its seeds. None: not known."""

    parameters: float | None = None
    synapses: float | None = None
    density: float | None = Field(None, description="Synapses as a share of what full connections would be.")
    wiring_mean: float | None = Field(None, description="Mean length of a connection, in spacings of the sheet.")
    trials: float | None = Field(None, description="Learnt from.")
    seconds: float | None = Field(None, description="Of training, without evaluation, on the machine it ran on.")
    reached: dict[str, Reached] = Field(
        default_factory=dict, description="For a decision accuracy in percent, when it was reached; see REACHED."
    )


class Point(Part):
    """An evaluation in training: mean decision accuracy over the tasks, over seeds."""

    trials: float
    mean: float
    low: float = Field(description="Of the lowest seed.")
    high: float = Field(description="Of the highest seed.")


class Seed(Part):
    """One network: a run of training, or one that came trained."""

    name: str
    seed: int | None
    status: str = Field(description="finished, reached (the target accuracy), failed, diverged, scored …")
    error: str | None
    decision: float | None = Field(description="Mean decision accuracy over the tasks.")
    trial: float | None = Field(description="Mean trial accuracy over the tasks.")
    cost: Cost
    curve: tuple[Point, ...]
    scores: dict[str, tuple[float, float]] = Field(description="For each task decision and trial accuracy.")


class Column(Part):
    """A reference network as a report shows it."""

    name: str
    settings: dict[str, Any]
    seeds: int
    cost: Cost
    curve: tuple[Point, ...] = Field(description="Empty where it was trained on other tasks.")
    differs: tuple[str, ...] = Field(description="In what it was trained or scored otherwise.")
    scores: dict[str, tuple[float, float]] = Field(description="For each task decision and trial accuracy.")


class Report(Part):
    """A network, scored on a battery, beside references."""

    name: str
    created: str = Field(description="Date and time, UTC.")
    trained: bool = Field(description="Whether it was trained for the report, or came trained.")
    command: str = Field(description="Makes the report again.")
    tasks: str | list[str] = Field(description="A collection, or names.")
    n_trials: int = Field(description="Trials of each task that it was scored on.")
    score_seed: int = Field(description="Of those trials.")
    interval: Literal["seeds", "trials"] = Field(description="What the intervals are over.")
    settings: dict[str, Any] = Field(description="Of training, without the seed; empty if they are not known.")
    battery: dict[str, Any]
    versions: dict[str, str]
    git: dict[str, Any] | None
    seeds: tuple[Seed, ...]
    rows: tuple[Row, ...] = Field(description="The battery, families, extensions, tasks.")
    cost: Cost
    curve: tuple[Point, ...]
    references: tuple[Column, ...]
    notes: tuple[str, ...] = Field(description="What a reader should know, in sentences.")

    @property
    def done(self) -> tuple[Seed, ...]:
        """The seeds that were scored."""
        return tuple(seed for seed in self.seeds if seed.scores)

    @property
    def failed(self) -> tuple[Seed, ...]:
        """The seeds that were not."""
        return tuple(seed for seed in self.seeds if not seed.scores)

    def rows_of(self, *kinds: str) -> tuple[Row, ...]:
        """The rows of these kinds."""
        return tuple(row for row in self.rows if row.kind in kinds)

    def tasks_by_extension(self) -> dict[str, tuple[Row, ...]]:
        """The rows of tasks, for each extension that there is."""
        row = {task.name: task for task in self.rows_of("task")}
        return {group.name: tuple(row[task] for task in group.tasks) for group in self.rows_of("extension")}
