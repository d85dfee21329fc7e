"""The options of an environment and its rules of stepping: the demands of a task, and the outcome of each action.

The single environment looks its steps up one by one, the vector environment those of all its copies at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, StrictBool

from modcog.battery import Battery, BatteryConfig
from modcog.envs.fixed import is_sequential
from modcog.errors import FixedError, ModcogError, UnknownKeywordError, unknown
from modcog.settings import Settings
from modcog.tasks.names import parse
from modcog.trials.arrays import Trials
from modcog.trials.tables import Tables
from modcog.validation import validated

FREE, GUARDED, RESPOND, HOLD, SEQUENCE = range(0, 40, 8)
"""Demands: none; fixation, under penalty; one response; fixation to the end; a response at every step."""


def _outcome(demand: int, last: bool, right: bool, responded: bool) -> tuple[str, bool, bool]:
    """Return the reward that an action earns, by name, and that it ends the trial, and counts as right."""
    if demand == SEQUENCE:
        return ("correct" if right else "fail"), last, right
    if demand == HOLD and (responded or last):
        return ("fail" if responded else "correct"), True, not responded
    if demand == RESPOND and responded:
        return ("correct" if right else "fail"), True, right
    return ("abort" if demand == GUARDED and responded else ""), last, False


_EITHER = (False, True)

OUTCOMES = [_outcome(*case) for case in product((FREE, GUARDED, RESPOND, HOLD, SEQUENCE), _EITHER, _EITHER, _EITHER)]
"""Outcomes by demand + 4 · last + 2 · right + responded: a step of many copies has no time for the function above."""


def demands(tables: Tables, task: int = 0) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the demands of a task, by its index in ``tables``.

    Returns:
        Before the decision: to the end of the period named fixation, and after it. In the decision: of a trial that
        asks to hold fixation, and of one that asks for a response.
    """
    if tables.rules.name == "published":  # P11
        return (GUARDED, FREE), (RESPOND, RESPOND)
    return (GUARDED, GUARDED), (HOLD, SEQUENCE if tables.sequence_sign[task] else RESPOND)


def ending(abort: bool) -> NDArray[np.bool_]:
    """Return which of ``OUTCOMES`` end a trial, (40,), if a response before the decision does so or not."""
    return np.array([ends or (abort and earned == "abort") for earned, ends, _ in OUTCOMES])


def step_demands(tables: Tables, trials: Trials) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return demand + 4 · last of each of S steps, (S,), and the number of steps that share its reward, (S,).

    All trials are of one task.
    """
    task = int(trials.task[0])
    before, decision = (np.array(codes) for codes in demands(tables, task))
    periods = trials.periods[task]
    guarded = periods[: periods.index("fixation") + 1] if "fixation" in periods else ()  # a user's task may lack it
    fixation = sum(trials.conditions[f"steps_{period}"] for period in guarded)
    trial = np.repeat(np.arange(len(trials)), trials.lengths)
    place = np.arange(len(trial)) - trials.offsets[trial]
    late = place >= np.broadcast_to(fixation, len(trials))[trial]
    in_decision = place >= trials.decision_start[trial]
    demand = np.where(in_decision, decision[trials.conditions["respond"]][trial], before[late.astype(np.intp)])
    shares = np.where(demand == SEQUENCE, (trials.lengths - trials.decision_start)[trial], 1.0)
    return demand + 4 * (place == trials.lengths[trial] - 1), shares


class Rewards(BaseModel, frozen=True, extra="forbid"):
    """Rewards of a step."""

    abort: FiniteFloat = Field(default=-0.1, description="A response before the decision.")
    correct: FiniteFloat = Field(
        default=1.0, description="A right decision; in a sequence each right step earns its share."
    )
    fail: FiniteFloat = Field(default=0.0, description="A wrong one.")


class LiveRewards(dict[str, float]):
    """The rewards of an environment, which may be changed between two steps, to other finite numbers."""

    def __init__(self, rewards: Mapping[str, Any]) -> None:
        super().__init__()
        self.update(rewards)

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def update(self, *changes: Any, **named: Any) -> None:
        """Change some of the rewards.

        Raises:
            UnknownNameError: for a name that is not one of the three.
            ModcogError: for a wrong value.
        """
        new = dict(*changes, **named)
        super().update(validated(Rewards, new).model_dump(include=set(new)))

    def __ior__(self, changes: Any) -> LiveRewards:  # type: ignore[override,misc]
        self.update(changes)
        return self

    def _keep(self, *names: Any) -> Any:
        raise FixedError(f"rewards: {', '.join(self)} stay; write others over them")

    __delitem__ = pop = popitem = clear = setdefault = _keep

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


class EnvOptions(BaseModel, frozen=True, extra="forbid"):
    """Options of stepping an environment."""

    trials_per_episode: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        1, description="Trials in an episode; None: one endless stream of trials."
    )
    abort: StrictBool = Field(False, description="End the trial at a response before the decision.")
    rewards: Rewards = Rewards()
    render_mode: Literal["rgb_array", "human"] | None = None


def read_options(task: str, keywords: Mapping[str, Any]) -> tuple[Battery, EnvOptions]:
    """Return the battery of one task and the options of its environment, from keywords of both.

    ``cohs`` is the published name of the coherences of the dm tasks and the strengths of the dlydm tasks. In tasks that
    draw neither it is checked and changes nothing.

    Raises:
        UnknownKeywordError: for a keyword that is neither a setting nor an option.
        ModcogError: for a wrong value.
    """
    settings = dict(keywords)
    options = {name: settings.pop(name) for name in EnvOptions.model_fields if name in settings}
    allowed = [*EnvOptions.model_fields, *(name for name in BatteryConfig.model_fields if name != "tasks"), "cohs"]
    for name in settings:
        if name not in allowed:  # some tools look for Python's own words in the message
            raise UnknownKeywordError(f"unexpected keyword argument {name!r}: {unknown('option', name, allowed)}")
    if (cohs := settings.pop("cohs", None)) is not None:
        field = "strengths" if is_sequential(parse(task)) else "coherences"
        if field in settings:
            raise ModcogError(f"cohs: is another name of {field} here; give one of the two")
        try:
            settings |= {field: getattr(validated(Settings, {field: cohs}), field)}
        except ModcogError as error:
            raise ModcogError(f"cohs: {error}") from None
    return Battery([task], **settings), read_env_options(options)


def read_env_options(options: Mapping[str, Any]) -> EnvOptions:
    """Return options of stepping, from keywords; ``rewards`` may be None or leave some out.

    Raises:
        ModcogError: for a wrong value.
    """
    values = {name: value for name, value in options.items() if name != "rewards" or value is not None}
    if isinstance(rewards := values.get("rewards"), Mapping):
        try:
            values["rewards"] = validated(Rewards, rewards)
        except ModcogError as error:
            raise type(error)(f"rewards: {error}") from None
    return validated(EnvOptions, values)
