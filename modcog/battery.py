"""The battery: any set of tasks under one set of settings, as samples and as streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool

from modcog.checks import check_count
from modcog.errors import FixedError, ModcogError, unknown
from modcog.seeds import Purpose, Seed
from modcog.settings import Settings, SettingsKeywords
from modcog.tasks import names
from modcog.tasks.rule_input import RuleInput, check_rule_input
from modcog.trials import source
from modcog.trials.arrays import Trials, concatenate, join_by_task
from modcog.trials.stream import Stream
from modcog.trials.tables import compile_tables
from modcog.validation import read_settings, validated

if TYPE_CHECKING:
    from typing_extensions import Unpack


class BatteryConfig(Settings):
    """Everything that a battery is made of: tasks, rule input and the settings of its trials.

    Every field can stand in a TOML or YAML file under the same name.
    """

    tasks: Annotated[tuple[str, ...], BeforeValidator(names.resolve)] = Field(
        default="modcog132",  # type: ignore[arg-type]
        description="Task names, or the name of a collection, in order.",
    )
    rule_input: Annotated[StrictBool | Literal["compositional"], BeforeValidator(check_rule_input)] = Field(
        default=False,
        description="Append the task to the observations: one-hot, or 'compositional', as base task and extensions.",
    )

    @property
    def settings(self) -> Settings:
        """Return the settings without tasks and rule input."""
        return Settings.model_construct(**{name: getattr(self, name) for name in Settings.model_fields})


class BatteryKeywords(SettingsKeywords, total=False):
    """The keyword arguments of ``Battery``, as type checkers read them."""

    tasks: str | Iterable[str]
    rule_input: bool | Literal["one-hot", "compositional"]


class Battery:
    """A set of Mod-Cog tasks and the trials they make.

    Args:
        tasks: the name of a collection (``"modcog132"``, ``"yang19"``, ``"interval"`` …), or a list of task names.
        rule_input: append the task to the observations. True or ``"one-hot"``: a channel for each task;
            ``"compositional"``: a channel for each base task (of the 20 in canonical order, then a user's own), and
            four for interval right, interval left, sequence right and sequence left, so that a network can be asked
            for a combination that it was not trained on.
        **settings: the fields of ``modcog.settings.Settings``: ``dt`` (ms), ``sigma``, ``dim_ring``, ``rules``,
            ``omega`` (positions per ms), ``interval`` (ms), ``coherences``, ``strengths``, ``timing`` (ms).

    Attributes:
        config: all of these.
        tables: the same, compiled.

    Raises:
        UnknownNameError: for a task, collection, rule set, period or setting that does not exist.
        ModcogError: for a value out of range, naming field, value and bound.

    Examples:
        >>> battery = Battery("yang19", dt=50)
        >>> trials = battery.sample(100, seed=0)
        >>> trials.observations.shape[0], trials.observations.shape[2]
        (100, 33)
    """

    def __init__(
        self,
        tasks: str | Iterable[str] = "modcog132",
        *,
        rule_input: bool | Literal["one-hot", "compositional"] = False,
        **settings: Unpack[SettingsKeywords],
    ) -> None:
        self.config = config = validated(BatteryConfig, {"tasks": tasks, "rule_input": rule_input, **settings})
        self.tables = compile_tables(config.tasks, config.settings, config.rule_input)

    def __setattr__(self, name: str, value: Any) -> None:
        """Raise ``FixedError`` for what the battery is made of; it would change no trial. Other attributes are free."""
        if name in BatteryConfig.model_fields or name in vars(self) or hasattr(type(self), name):
            raise FixedError(f"{name}: is fixed in this battery; battery.replace(...) returns another")
        super().__setattr__(name, value)

    @classmethod
    def from_config(cls, config: BatteryConfig) -> Battery:
        """Make a battery of a config."""
        return cls(**{name: getattr(config, name) for name in BatteryConfig.model_fields})

    @classmethod
    def from_file(cls, path: str | Path, **settings: Unpack[BatteryKeywords]) -> Battery:
        """Make a battery of a TOML, YAML or JSON file of settings; keyword arguments override the file.

        Raises:
            ModcogError: if the file cannot be read or holds a wrong setting.
        """
        return cls(**{**read_settings(path), **settings})

    def replace(self, **changes: Unpack[BatteryKeywords]) -> Battery:
        """Return a battery that differs in some tasks, rule input or settings.

        Raises:
            ModcogError: for a wrong value, as ``Battery`` does.
        """
        return Battery(**{**dict(self.config), **changes})

    @cached_property
    def settings(self) -> Settings:
        """The settings of the trials, without tasks and rule input."""
        return self.config.settings

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names, in order; ``trials.task`` indexes them."""
        return self.config.tasks

    @property
    def rule_input(self) -> RuleInput:
        """Kind of the rule input that observations end with: False (none), True (one-hot) or ``"compositional"``."""
        return self.config.rule_input

    @property
    def n_channels(self) -> int:
        """Channels C of an observation: 1 + 2 · dim_ring, and those of the rule input."""
        return self.tables.n_channels

    @property
    def n_actions(self) -> int:
        """Actions A: hold fixation, or respond in one of dim_ring directions."""
        return self.settings.dim_ring + 1

    def sample(
        self, n: int | None = None, *, seed: int | None = None, per_task: int | None = None, task: str | None = None
    ) -> Trials:
        """Sample trials.

        Args:
            n: number of trials; their tasks are drawn uniformly.
            seed: of all random numbers; None: from the operating system. The first k trials are the same
                whatever n is, and the same as those of the environment of a task with that seed. No other use of
                the same number (a stream, training, ``modcog.evaluate`` …) has any of these trials.
            per_task: instead of n: so many trials of each task, in the order of ``tasks``. The first k trials of a
                task are the same whatever ``per_task`` is.
            task: draw this task only; with n.

        Returns:
            Trials: with ``observations`` (n, T, C) float32, ``labels`` (n, T) int64 and what belongs to them.

        Raises:
            ModcogError: if not exactly one of ``n`` and ``per_task`` is given, or one is not a whole number ≥ 1.
            UnknownNameError: if the task is not in the battery.
        """
        if (n is None) == (per_task is None):
            raise ModcogError("sample takes either n, the number of trials, or per_task, the number of each task")
        if per_task is not None and task is not None:
            raise ModcogError("sample takes either per_task or task; for one task give n")
        blocks = self.blocks(Seed.of(seed, Purpose.SAMPLE), n, per_task, task)
        return concatenate(list(blocks)) if per_task is None else join_by_task(blocks)

    def blocks(
        self, seed: Seed, n: int | None = None, per_task: int | None = None, task: str | None = None
    ) -> Iterator[Trials]:
        """Draw the trials of ``sample`` for any purpose, in parts that can be worked through one by one.

        With ``per_task``, a part holds one task, and those of neighbouring tasks take turns.

        Raises:
            ModcogError: for counts that are not whole numbers ≥ 1.
            UnknownNameError: if the task is not in the battery.
        """
        if per_task is not None:
            return source.per_task(self.tables, seed, range(len(self.tasks)), check_count("per_task", per_task))
        only = None if task is None else self.index(task)
        return source.TrialSource(self.tables, seed, only).blocks(check_count("n", n))

    def stream(
        self,
        batch_size: int = 64,
        seq_len: int = 350,
        seed: int | None = None,
        *,
        batch_first: bool = False,
        device: Any = None,
        prefetch: int = 0,
    ) -> Stream:
        """Return an endless iterator of training batches: in each of ``batch_size`` lanes trials back to back.

        A task is drawn for each trial, uniformly. Every batch starts with fresh trials and cuts the last one of a
        lane at ``seq_len``, so that no label depends on what came before the batch.

        Args:
            batch_size: lanes B.
            seq_len: steps T.
            seed: of all random numbers; None: from the operating system.
            batch_first: (B, T, …) instead of (T, B, …); the same trials.
            device: device of torch's (``"cuda"``, ``"mps"``, ``"cpu"`` …) on which batches are made, as tensors; None:
                arrays of NumPy's. The trials are the same but for the numbers of their noise.
            prefetch: batches that a background thread makes ahead of their use; the batches are the same.

        Returns:
            Stream: ``next(stream)`` gives observations (T, B, C) float32 and labels (T, B) int64.

        Raises:
            ModcogError: if a size is not a whole number ≥ 1, or torch or the device is not there.
        """
        how = {"batch_first": batch_first, "device": device, "prefetch": prefetch}
        return Stream(self.tables, Seed.of(seed, Purpose.STREAM), batch_size, seq_len, **how)

    def index(self, task: str) -> int:
        """Return the index of a task in ``tasks``.

        Raises:
            UnknownNameError: if it is not in the battery.
        """
        if not isinstance(task, str) or task not in self.tasks:
            raise unknown("task", task, self.tasks)
        return self.tasks.index(task)

    def __repr__(self) -> str:
        changed = self.config.model_dump(exclude={"tasks"}, exclude_defaults=True)
        return f"Battery({len(self.tasks)} tasks{''.join(f', {k}={v!r}' for k, v in changed.items())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Battery) and self.config == other.config

    def __hash__(self) -> int:
        return hash(self.tasks)


def widen(battery: Battery, tasks: Iterable[str]) -> Battery:
    """Return a battery with further tasks whose observations have the same channels.

    Raises:
        ModcogError: unless the rule input is compositional, and has the base tasks of the further tasks.
    """
    if battery.rule_input != "compositional":
        raise ModcogError(
            "rule_input: must be 'compositional', since no other tells a network of tasks that it was not trained on"
        )
    wider = battery.replace(tasks=list(dict.fromkeys([*battery.tasks, *tasks])))
    if wider.n_channels != battery.n_channels:
        trained = {names.parse(task).base for task in battery.tasks}
        other = next(task for task in wider.tasks if names.parse(task).base not in trained)
        raise ModcogError(f"tasks: got {other!r}, whose base task the network was not trained on")
    return wider
