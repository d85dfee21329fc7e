"""The content of a report, as ``report.json`` holds it; the page and the Markdown show the same."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modcog.tables import Brief

OWN = "own network"
"""Name of the reported network beside the references."""


class ReportModel(Brief, BaseModel):
    """Base of the parts of a report: they are frozen and refuse unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(ReportModel):
    """A mean with its 95 % interval; accuracies and shares are from 0 to 1, angles in degrees."""

    mean: float
    low: float
    high: float


class Point(ReportModel):
    """One evaluation during training: decision accuracy over the tasks, its mean and range over seeds."""

    trials: float
    mean: float
    low: float
    high: float


class Row(ReportModel):
    """Scores of a task, or their mean over the tasks of a group."""

    kind: Literal["battery", "family", "extension", "task"]
    name: str = Field(description="Task, family or extension; 'all tasks' for the battery.")
    tasks: tuple[str, ...]
    decision: Interval = Field(description="Decision accuracy.")
    trial: Interval = Field(description="Trial accuracy.")
    chance: float | None = Field(description="Decision accuracy of a player who sees no stimulus; None: unknown.")
    ceiling: float | None = Field(description="Decision accuracy of the ideal observer; None: unknown.")
    share: Interval | None = Field(description="Decision accuracy on the scale from chance (0) to the ceiling (1).")
    levels: dict[str, float] = Field({}, description="Decision accuracy of each strategy; empty: unknown.")
    others: dict[str, Interval] = Field({}, description="The other measures by name: last_step, directional …")
    references: dict[str, float] = Field(description="Decision accuracy of the references that know all these tasks.")
    curve: tuple[Point, ...] = Field((), description="Learning curve of a family or an extension; empty: unknown.")

    @property
    def title(self) -> str:
        """Name for a reader; of a group with the number of its tasks."""
        if self.kind == "task":
            return self.name
        name = "no extension" if self.kind == "extension" and self.name == "none" else self.name
        return f"{name}{' family' if self.kind == 'family' else ''} ({len(self.tasks)})"


class Reached(ReportModel):
    """Trials of training until a mean decision accuracy was first reached."""

    trials: float = Field(description="Mean over the seeds that reached it.")
    seeds: int = Field(description="Number of seeds that reached it.")
    of: int = Field(description="Number of seeds.")


class Cost(ReportModel):
    """Costs of a network, means over its seeds; None: unknown."""

    parameters: float | None = None
    synapses: float | None = Field(None, description="Recurrent connections.")
    density: float | None = Field(None, description="Synapses as a share of all possible ones.")
    wiring_mean: float | None = Field(None, description="Mean length of a connection, in spacings of the sheet.")
    trials: float | None = Field(None, description="Trials of training.")
    seconds: float | None = Field(None, description="Seconds of training, without evaluation.")
    reached: dict[str, Reached] = Field(default_factory=dict, description="For each of THRESHOLDS that was reached.")


Scores = dict[str, tuple[float, float]]
"""Decision and trial accuracy of each task."""


class NetworkResult(ReportModel):
    """One network: a run of training, or one that came trained."""

    name: str
    seed: int | None
    status: str = Field(description="finished, reached (the target accuracy), failed, diverged, scored …")
    error: str | None
    decision: float | None = Field(description="Mean decision accuracy over the tasks.")
    trial: float | None = Field(description="Mean trial accuracy over the tasks.")
    cost: Cost
    curve: tuple[Point, ...]
    scores: Scores


class Reference(ReportModel):
    """A reference network: means over its seeds."""

    name: str
    settings: dict[str, Any] = Field(description="Settings of training, without the seed.")
    seeds: tuple[int, ...]
    n_trials: int
    score_seed: int
    scores: Scores
    cost: Cost
    curve: tuple[Point, ...] = Field(description="Empty in a report on other tasks than it was trained on.")
    differs: tuple[str, ...] = Field(
        default=(), description="Differences in training and scoring from the reported network."
    )


class Report(ReportModel):
    """The scores of a network on a battery, beside references."""

    name: str
    created: str = Field(description="Date and time, UTC.")
    trained: bool = Field(description="False for a network that came trained.")
    command: str = Field(description="Command or call in Python that repeats what the report is on.")
    tasks: str | list[str] = Field(description="Name of a collection, or task names.")
    n_trials: int = Field(description="Trials of each task that it was scored on.")
    score_seed: int = Field(description="Seed of these trials.")
    interval: Literal["seeds", "trials"] = Field(description="The sample that the intervals are over.")
    settings: dict[str, Any] = Field(description="Settings of training, without the seed; empty if unknown.")
    battery: dict[str, Any] = Field(description="Settings of the battery, without the tasks.")
    versions: dict[str, str]
    git: dict[str, Any] | None
    seeds: tuple[NetworkResult, ...]
    rows: tuple[Row, ...] = Field(description="The battery, families, extensions, tasks.")
    cost: Cost
    curve: tuple[Point, ...]
    references: tuple[Reference, ...]
    notes: tuple[str, ...] = Field(description="Sentences that a reader should know.")

    @property
    def done(self) -> tuple[NetworkResult, ...]:
        """The networks that were scored."""
        return tuple(network for network in self.seeds if network.scores)

    @property
    def failed(self) -> tuple[NetworkResult, ...]:
        """The networks that were not scored."""
        return tuple(network for network in self.seeds if not network.scores)

    def rows_of(self, *kinds: str) -> tuple[Row, ...]:
        """Return the rows of these kinds."""
        return tuple(row for row in self.rows if row.kind in kinds)
