"""One function for each task, for scripts written for the module that was published with the paper.

Such a script runs after one line of it is changed, ``from Mod_Cog.mod_cog_tasks import *``, to
``from modcog.mod_cog_tasks import *``. It then finds the 93 functions it knew, those of the rest of the 132 tasks, and
the names of NumPy, gymnasium, neurogym and matplotlib that it took from there.

**The default here is the published rule set**, errors and all, since that is what those scripts had; everywhere else
in modcog it is the corrected one. ``go(rules="corrected")`` asks for that. The differences and their effect on scores
are in the documentation, "Moving from the published code".

**Arguments** of every function: those of ``modcog.Battery`` and of ``gym.make("modcog/…")``, and the published ones:
``dt`` (ms), ``sigma``, ``dim_ring``, ``rewards``, ``timing`` (ms; periods that the task does not have are ignored),
``cohs`` (the ``coherences`` of dm tasks, the ``strengths`` of dlydm tasks, without effect elsewhere), and those that
turned one task into another: ``integrate`` and ``seq`` in all, ``anti``, ``reaction`` and ``dly`` in the go family,
``w_mod``, ``stim_mod`` and ``delaycomparison`` in the decision family, ``matchto`` and ``matchgo`` in the match family.
So ``dlygo(integrate=1)`` is ``dlygointr()``.

**Attributes**: the published ones of each family. They can be read; what was given to the constructor is fixed.

**Names.** The eleven ``…intseq`` mean ``…intrseqr``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

from modcog import errors, extras, validation  # modules, not their functions, which would stand among the tasks
from modcog.battery import Battery
from modcog.envs import fixed
from modcog.envs.env import ModCogEnv
from modcog.tasks import names
from modcog.tasks.table import YANG19
from modcog.trials import timing

try:
    import neurogym as ngym
    from neurogym import spaces
    from neurogym.core import TrialEnv, TrialWrapper
    from neurogym.envs.collections.yang19 import (  # noqa: F401
        _cosinebump,
        _gaussianbump,
        _get_dist,
        _MultiModalityStimulus,
    )
    from neurogym.utils import scheduler
    from neurogym.utils.scheduler import RandomSchedule, SequentialSchedule
    from neurogym.wrappers import block
    from neurogym.wrappers.block import ScheduleEnvs
except ImportError as error:
    raise extras.missing_extra("neurogym", "modcog.mod_cog_tasks", (error.name or "neurogym").split(".")[0]) from error


class EnvWithAdditions(TrialEnv):  # type: ignore[misc]
    """A base for a script's own tasks: neurogym's ``TrialEnv`` with a right answer that moves during the decision.

    The task sets ``omega`` (positions per ms), ``dim_ring`` and a period named decision.
    """

    def my_set_groundtruth(
        self, value: int, period: str | list[str] | None = None, where: str | None = None, seq: int = 0
    ) -> None:
        """Set the right action.

        Args:
            value: an action, or with ``where`` an index into that part of the action space.
            period: None for the whole trial; any name for the decision.
            where: a name in the action space.
            seq: +1 or −1 moves the action by omega · dt at each step of the decision, truncated to whole positions and
                counted modulo ``dim_ring`` as the published code has it (so action ``dim_ring`` never occurs).
        """
        action = value if where is None else self.action_space.name[where][value]
        if period is None:
            self.set_groundtruth(action)
            return
        steps = self.view_groundtruth("decision")
        moved = np.trunc(seq * self.omega * self.dt * np.arange(len(steps))).astype(steps.dtype)
        steps[:] = (action + moved) % self.dim_ring


def _flag(name: str, read: Callable[[Any], Any] | None = None, argument: str | None = None) -> Any:
    """Return the property for a keyword of the published code that tells a task from others of its family."""
    return fixed.fixed(name, read or (lambda env: _flags(env.task)[name]), argument)


class ScriptEnv(ModCogEnv, EnvWithAdditions):
    """A ``ModCogEnv`` that older scripts can use as they used the published ones.

    ``reset`` takes ``no_step`` and ``step_fn`` as neurogym once did, and the conditions of a trial have the published
    names as well: ``ground_truth``, ``theta1``, ``coh1_mod1``, ``sample_theta`` … (angles in radians).
    """

    integrate: int = _flag("integrate")
    seq: int = _flag("seq")

    @property
    def timing(self) -> dict[str, Any]:
        """Duration in ms of each period in the current trial; before the first, those expected.

        Tasks of the go family have all four periods of the family: those that do not occur last 0 ms.
        """
        own = self.battery.tables.timings[0]
        if self.trial:
            lasts = {period: self.trial[f"duration_{period}"] for period in own}
        else:
            lasts = {period: timing.expected(duration) or 0.0 for period, duration in own.items()}
        family = ("fixation", "stimulus", "delay", "decision") if isinstance(self, _Reach) else ()
        return validation.ReadOnlyDict(
            {period: fixed.whole(lasts.get(period, 0)) for period in dict.fromkeys((*family, *own))},
            f"timing: got an item of {self}, which changes nothing; assign a whole mapping, env.timing = {{...}}, make "
            "an environment with timing={...}, or fix a duration of one trial: new_trial(duration_delay=700)",
        )

    @timing.setter
    def timing(self, timing: Mapping[str, Any]) -> None:
        """Replace the durations of some periods, as scripts do that test networks under fixed timing.

        The trials that follow have them. Periods that the task does not have are ignored, as in the constructor.

        Raises:
            ModcogError: for what is no mapping of periods to durations, or leaves a trial that cannot be played.
        """
        if "_battery" not in vars(self):  # neurogym's constructor writes an empty one
            return
        if not isinstance(timing, Mapping):
            raise errors.ModcogError(f"timing: got {errors.shown(timing)}, must be a mapping of periods to durations")
        own = {period: duration for period, duration in timing.items() if period in self.battery.tables.timings[0]}
        self._battery = self.battery.replace(timing={**self.battery.settings.timing, **own})
        place = self._index, self._copies
        self._begin(self._source.seed)
        self._index, self._copies = place

    @property
    def _duration(self) -> dict[str, Any]:
        """Duration in ms of each period of the current trial, in whole steps."""
        return {period: self.end_t[period] - start for period, start in self.start_t.items()}

    @_duration.setter
    def _duration(self, value: Any) -> None:
        """Leave it: neurogym's constructor writes an empty one."""

    def reset(
        self, seed: int | None = None, *, no_step: bool = False, step_fn: Callable[..., Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:  # fmt: skip
        """Reset as ``ModCogEnv`` does; ``no_step`` changes nothing, since no step is taken anyway."""
        if step_fn is not None:
            options = {**(options or {}), "step_fn": step_fn}
        return super().reset(seed=seed, options=options)

    def new_trial(self, **conditions: Any) -> dict[str, Any]:
        """Go to the next trial as ``ModCogEnv`` does; its conditions get the published names beside their own.

        Keywords that tell a task from others of its family, as ``anti``, are accepted where they say what it is.
        """
        spec = self.battery.tables.specs[0]
        params, flags = spec.row.params, _flags(self.task)
        for name in conditions.keys() & flags.keys():
            if (value := conditions.pop(name)) != flags[name]:
                raise errors.ModcogError(
                    f"{name}: got {errors.shown(value)}, but all trials of {self.task} have {flags[name]!r}; make "
                    f"another environment, with {name}="
                )
        trial = super().new_trial(**conditions)
        angles: dict[str, str] = {}
        if spec.family == "go":
            trial |= {"ground_truth": trial["target"], **{name: flags[name] for name in ("anti", "integrate", "seq")}}
        elif spec.family == "match":
            trial["ground_truth"] = self.choices[0 if trial["match"] else 1]
            angles = {"sample_theta": "sample_direction", "test_theta": "test_direction"}
        else:
            of_rings = [f"{which}_mod{ring + 1}" for ring in (0, 1) if params["shown"][ring] for which in (1, 2)]
            trial |= {f"coh{one}": trial[f"strength{one}"] for one in of_rings}
            angles = {"theta1": "direction1", "theta2": "direction2"}
        trial |= {name: float(self.theta[trial[direction]]) for name, direction in angles.items()}
        return trial

    def __str__(self) -> str:
        return f"<ScriptEnv {self.task}, {self.battery.settings.rules} rules>"


class _OneRing(ScriptEnv):
    """A task that shows its stimuli on one ring: ``observation_space.name["stimulus"]`` is the current trial's."""

    def __init__(self, task: str, **keywords: Any) -> None:
        super().__init__(task, **keywords)
        names = self.observation_space.name
        self._spaces = [copy.copy(self.observation_space) for _ in range(2)]
        for modality, space in enumerate(self._spaces, 1):
            space.name = {**names, "stimulus": names[f"stimulus_mod{modality}"]}
        self.observation_space = self._spaces[0]

    def new_trial(self, **conditions: Any) -> dict[str, Any]:
        trial = super().new_trial(**conditions)
        if any(self.observation_space is space for space in self._spaces):  # else a wrapper has put another there
            self.observation_space = self._spaces[trial["modality"] - 1]
        return trial


class _Reach(_OneRing):
    """The go family; scripts test for it."""

    anti: bool = _flag("anti")
    reaction: bool = _flag("reaction")
    dly: bool = _flag("dly")


class _DMFamily(ScriptEnv):
    """The decision family; scripts test for it."""

    w_mod: tuple[int, int] = _flag("w_mod")
    stim_mod: tuple[bool, bool] = _flag("stim_mod")
    w_mod1: int = _flag("w_mod1", lambda env: env.w_mod[0], "w_mod")
    w_mod2: int = _flag("w_mod2", lambda env: env.w_mod[1], "w_mod")
    stim_mod1: bool = _flag("stim_mod1", lambda env: env.stim_mod[0], "stim_mod")
    stim_mod2: bool = _flag("stim_mod2", lambda env: env.stim_mod[1], "stim_mod")
    delaycomparison: bool = _flag("delaycomparison")


class _DelayMatch1DResponse(_OneRing):
    """The match family; scripts test for it."""

    matchto: str = _flag("matchto")
    matchgo: bool = _flag("matchgo")
    half_ring: int = _flag("half_ring", lambda env: env.dim_ring // 2, "dim_ring")


_CLASSES: dict[str, type[ScriptEnv]] = {"go": _Reach, "decision": _DMFamily, "match": _DelayMatch1DResponse}


class MultiEnvs(block.MultiEnvs):  # type: ignore[misc]
    """neurogym's ``MultiEnvs`` with gymnasium's ``reset``."""

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        """Return the result of the current environment's ``reset``."""
        return self.env.reset(**arguments)


def _own_timing(task: str, given: Any, rules: Any) -> Any:
    """Return a timing without the periods that only other tasks have."""
    if not isinstance(given, Mapping):
        return given
    known = Battery([task], rules=rules).tables.periods[0]
    others = {period for row in YANG19 for period in row.periods if period not in known}
    return {period: duration for period, duration in given.items() if period not in others}


def _selected(task: str, keywords: dict[str, Any]) -> str:
    """Take the published keywords out of ``keywords``, and return the task that they turn ``task`` into."""
    own = _flags(task)
    given = {name: keywords.pop(name) for name in own if name in keywords}
    given = {name: tuple(np.asarray(value).tolist()) if np.ndim(value) else value for name, value in given.items()}
    if not given:
        return task
    for other in names.TASKS:
        if _flags(other) == {**own, **given}:
            return other
    family = [_flags(other) for other in names.collection(names.parse(task).family)]
    choices = {name: " or ".join(dict.fromkeys(repr(flags[name]) for flags in family)) for name in given}
    raise errors.ModcogError(
        f"{', '.join(f'{name}={errors.shown(value)}' for name, value in given.items())}: none of the 132 tasks is "
        f"{task} with that; allowed: {', '.join(f'{name} {values}' for name, values in choices.items())}"
    )


@cache
def _flags(task: str) -> dict[str, Any]:
    """Return the keywords of the published code that tell a task from others of its family."""
    spec = names.parse(task)
    params = spec.row.params
    flags: dict[str, Any] = {"integrate": spec.interval, "seq": spec.sequence}
    if spec.family == "go":
        periods = spec.row.periods
        return flags | {"anti": params["anti"], "reaction": "stimulus" not in periods, "dly": "delay" in periods}
    if spec.family == "match":
        matchto = "category" if params["category"] else "sample"
        return flags | {"matchto": matchto, "matchgo": params["respond_to_match"]}
    w_mod = params["weights"] if all(params["shown"]) else (1, 1)
    return flags | {"w_mod": w_mod, "stim_mod": params["shown"], "delaycomparison": params["sequential"]}


def _constructor(name: str) -> Callable[..., ScriptEnv]:
    """Return the function ``name``: it makes environments of a task, or of one that the keywords turn it into."""
    plain = name.replace("intseq", "intrseqr")

    def constructor(**keywords: Any) -> ScriptEnv:
        task = _selected(plain, keywords)
        keywords = {"rules": "published", "trials_per_episode": None, **keywords}
        if (given := keywords.pop("timing", None)) is not None:
            keywords["timing"] = _own_timing(task, given, keywords["rules"])
        return _CLASSES[names.parse(task).family](task, **keywords)

    constructor.__name__ = constructor.__qualname__ = name
    constructor.__doc__ = f"{names.summary(names.parse(plain))} ({plain}; published rules, unless rules='corrected')"
    return constructor


_ALIASES = [f"{row.name}intseq" for row in YANG19 if row.timed == "delay"]

_CONSTRUCTORS = {name: _constructor(name) for name in (*names.TASKS, *_ALIASES)}

globals().update(_CONSTRUCTORS)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., ScriptEnv]: ...


__all__ = [
    *_CONSTRUCTORS, "EnvWithAdditions", "MultiEnvs", "RandomSchedule", "ScheduleEnvs", "SequentialSchedule",
    "TrialWrapper", "gym", "ngym", "np", "plt", "scheduler", "spaces",
]  # fmt: skip


def __dir__() -> list[str]:
    """Return the names that the published module had, so that scripts that list them find no others."""
    return [name for name in globals() if name in __all__ or name.startswith("_")]
