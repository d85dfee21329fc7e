"""Options of an environment that are not settings of its trials; both are read from keyword arguments here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modcog.battery import Battery, BatteryConfig
from modcog.errors import UnknownKeywordError, unknown
from modcog.validation import validated

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Rewards(BaseModel):
    """Rewards of a step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    abort: Finite = Field(default=-0.1, description="A response before the decision.")
    correct: Finite = Field(default=1.0, description="A right decision; in a sequence each right step earns its share.")
    fail: Finite = Field(default=0.0, description="A wrong one.")


class EnvOptions(BaseModel):
    """Options of stepping an environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials_per_episode: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        1, description="Trials in an episode; None: one endless stream of trials."
    )
    abort: Annotated[bool, Field(strict=True)] = Field(
        False, description="End the trial at a response before the decision."
    )
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
