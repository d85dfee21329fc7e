"""The options of an environment and its rules of stepping: the demands of a task, and the outcome of each action.

The single environment looks its steps up one by one, the vector environment those of all its copies at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, FiniteFloat, StrictBool

from modcog.battery import Battery, BatteryConfig
from modcog.errors import UnknownKeywordError, unknown
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


def demands(tables: Tables) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the demands of the one task of ``tables``.

    Returns:
        Before the decision: to the end of the period named fixation, and after it. In the decision: of a trial that
        asks to hold fixation, and of one that asks for a response.
    """
    if tables.rules.name == "published":  # P11
        return (GUARDED, FREE), (RESPOND, RESPOND)
    return (GUARDED, GUARDED), (HOLD, SEQUENCE if tables.sequence_sign[0] else RESPOND)


class Rewards(BaseModel, frozen=True, extra="forbid"):
    """Rewards of a step."""

    abort: FiniteFloat = Field(default=-0.1, description="A response before the decision.")
    correct: FiniteFloat = Field(
        default=1.0, description="A right decision; in a sequence each right step earns its share."
    )
    fail: FiniteFloat = Field(default=0.0, description="A wrong one.")


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

    Raises:
        UnknownKeywordError: for a keyword that is neither a setting nor an option.
        ModcogError: for a wrong value.
    """
    settings = dict(keywords)
    options = {name: settings.pop(name) for name in EnvOptions.model_fields if name in settings}
    allowed = [*EnvOptions.model_fields, *(name for name in BatteryConfig.model_fields if name != "tasks")]
    for name in settings:
        if name not in allowed:  # some tools look for Python's own words in the message
            raise UnknownKeywordError(f"unexpected keyword argument {name!r}: {unknown('option', name, allowed)}")
    rewards = options.pop("rewards", None)
    if rewards is not None:
        options["rewards"] = validated(Rewards, rewards) if isinstance(rewards, dict) else rewards
    return Battery([task], **settings), validated(EnvOptions, options)
