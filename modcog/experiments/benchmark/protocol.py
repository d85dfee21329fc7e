"""Rules of the leaderboard as data: tasks, budget and scores of each protocol, and the networks that we enter."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any, Literal

from modcog.battery import Battery
from modcog.errors import ModcogError, shown, unknown
from modcog.experiments.benchmark.report import ReportModel
from modcog.settings import RULES
from modcog.tasks.names import collection
from modcog.training.config import TrainConfig

VERSION = 1
"""Version of the protocols; a change that makes results incomparable needs a new one."""

SEARCH_SEED = 100
"""Seed of the runs that choose a learning rate; no network of an entry has it."""

RATES = (0.002, 0.004, 0.008)
"""Learning rates to try; while the best is the first or the last, half or twice of it is tried, too."""

RECIPE: dict[str, Any] = {"steps": 8_000, "batch_size": 64, "learning_rate": 0.004, "warmup": 300, "eval_every": 500}
"""Settings of training that an entry has unless it gives others."""


class Protocol(ReportModel):
    """One table of the leaderboard: its tasks, the trials that a network may learn from, and those that score it."""

    name: str
    tasks: str
    rules: Literal["corrected", "published"]
    trials: int = 512_000
    seeds: int = 3
    n_trials: int = 200
    score_seed: int = 1_000

    @property
    def battery(self) -> Battery:
        """The tasks with all other settings at their defaults, and a rule input."""
        return Battery(self.tasks, rules=self.rules, rule_input=True)

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of training that every entry has."""
        return {"tasks": self.tasks, "battery": {"rules": self.rules}}

    def describe(self) -> str:
        """Return the protocol in a sentence."""
        return (
            f"Protocol {self.name}, version {VERSION}: {len(collection(self.tasks))} tasks under {self.rules} rules, "
            f"{self.trials:,} trials of training, at least {self.seeds} seeds, scored on {self.n_trials} new trials of "
            "each task."
        )

    @property
    def digest(self) -> str:
        """Hash of all that the protocol fixes, and of a few trials, which change with the code that draws them."""
        return _digest(self.model_dump_json())

    def check(self, config: TrainConfig) -> None:
        """Refuse settings of training that the protocol does not allow.

        Raises:
            ModcogError: naming the setting, and what it must be.
        """
        ours, theirs = self.battery.config, config.battery_settings()
        for name in type(ours).model_fields:
            if getattr(theirs, name) != getattr(ours, name):
                raise ModcogError(f"{name}: must be that of protocol {self.name}")
        must = {"data": None, "start": None, "train_on": None, "target_accuracy": None, "layout": "trials"}
        for name, value in must.items():
            if (given := getattr(config, name)) != value:
                raise ModcogError(f"{name}: got {shown(given)}, must be {value or 'left out'} in an entry")
        if (trials := config.steps * config.batch_size) != self.trials:
            raise ModcogError(
                f"steps: got {config.steps:,} updates of {config.batch_size} trials, {trials:,} trials in all; "
                f"protocol {self.name} has {self.trials:,}"
            )


PROTOCOLS = {
    name: Protocol(name=name, tasks=tasks, rules=rules)  # type: ignore[arg-type]
    for tasks in ("modcog82", "modcog132")
    for rules in RULES
    for name in (f"{tasks}-{rules}",)
}
"""Protocols by name; the first is the default."""

DEFAULT = next(iter(PROTOCOLS))


def find_protocol(name: str | None = None) -> Protocol:
    """Return a protocol by its name; None: the default.

    Raises:
        UnknownNameError: if there is none of this name.
    """
    name = DEFAULT if name is None else name
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


@lru_cache
def _digest(fields: str) -> str:
    """Return the hash of a protocol's fields, of its tasks, and of the labels of a few trials."""
    protocol = Protocol.model_validate_json(fields)
    trials = protocol.battery.sample(per_task=4, seed=protocol.score_seed)
    content = {"version": VERSION, "protocol": json.loads(fields), "tasks": collection(protocol.tasks)}
    found = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for part in (trials.lengths, trials.decision_start, trials.labels):
        found.update(part.astype("<i8").tobytes())
    return found.hexdigest()[:16]


_MASKED: dict[str, Any] = {"model": {"init": "identity"}}

NETWORKS: tuple[tuple[dict[str, Any], int], ...] = (
    ({"arch": "dense", **_MASKED}, 167),
    ({"arch": "lm-rnn", "density": 0.08, **_MASKED}, 315),
    ({"arch": "random", "density": 0.08, **_MASKED}, 315),
    ({"arch": "autapse", **_MASKED}, 373),
    ({"arch": "multi-area", **_MASKED}, 246),
    ({"arch": "dale"}, 167),
    ({"arch": "dale", "density": 0.08}, 315),
    ({"arch": "low-rank"}, 335),
    ({"arch": "lru"}, 140),
    ({"arch": "mingru"}, 140),
    ({"arch": "cornn"}, 250),
    ({"arch": "gru"}, 82),
    ({"arch": "lstm"}, 67),
)
"""Networks that we enter, and the units with which each has about ``PARAMETERS`` parameters on 82 tasks."""

UNITS, PARAMETERS = 256, 50_000
"""Units of the networks that are as large in units, and parameters of those that are as large in parameters."""
