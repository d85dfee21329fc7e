"""One function for each task, for scripts written for the module that was published with the paper.

Such a script runs after one line of it is changed, ``from Mod_Cog.mod_cog_tasks import *``, to
``from modcog.mod_cog_tasks import *``. It then finds the 93 functions it knew, those of the rest of the 132 tasks, and
the names of NumPy, gymnasium, neurogym and matplotlib that it took from there.

**The default here is the published rule set**, errors and all, since that is what those scripts had; everywhere else
in modcog it is the corrected one. ``go(rules="corrected")`` asks for that. The differences and their effect on scores
are in the documentation, "Moving from the published code".

**Arguments** of every function: those of ``modcog.Battery`` and of ``gym.make("modcog/…")``, and the published ones:
``dt`` (ms), ``sigma``, ``dim_ring``, ``rewards``, ``timing`` (ms; periods that the task does not have are ignored),
``cohs`` (the ``coherences`` of dm tasks, the ``strengths`` of dlydm tasks), and those that turned one task into
another: ``integrate`` and ``seq`` in all, ``anti``, ``reaction`` and ``dly`` in the go family, ``w_mod``, ``stim_mod``
and ``delaycomparison`` in the decision family, ``matchto`` and ``matchgo`` in the match family. So
``dlygo(integrate=1)`` is ``dlygointr()``.

**Names.** The eleven ``…intseq`` mean ``…intrseqr``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

from modcog import errors, extras  # modules, not their functions, which would stand among the tasks
from modcog.battery import Battery
from modcog.envs.env import ModCogEnv
from modcog.tasks import names
from modcog.tasks.table import YANG19

try:
    import neurogym as ngym
    from neurogym import spaces
    from neurogym.core import TrialEnv, TrialWrapper
    from neurogym.utils import scheduler
    from neurogym.utils.scheduler import RandomSchedule, SequentialSchedule
    from neurogym.wrappers import block
    from neurogym.wrappers.block import ScheduleEnvs
except ImportError as error:
    raise extras.missing_extra("neurogym", "modcog.mod_cog_tasks", (error.name or "neurogym").split(".")[0]) from error


class ScriptEnv(ModCogEnv):
    """A ``ModCogEnv`` that older scripts can use as they used the published ones.

    ``reset`` takes ``no_step`` and ``step_fn`` as neurogym once did, and the conditions of a trial have the published
    names as well: ``ground_truth``, ``theta1``, ``coh1_mod1``, ``sample_theta`` … (angles in radians).
    """

    def reset(
        self, *, no_step: bool = False, step_fn: Callable[..., Any] | None = None, **arguments: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Reset as ``ModCogEnv`` does; ``no_step`` changes nothing, since no step is taken anyway."""
        if step_fn is not None:
            arguments["options"] = {**(arguments.get("options") or {}), "step_fn": step_fn}
        return super().reset(**arguments)

    def new_trial(self, **conditions: Any) -> dict[str, Any]:
        """Go to the next trial as ``ModCogEnv`` does; its conditions get the published names beside their own."""
        trial = super().new_trial(**conditions)
        spec = self.battery.tables.specs[0]
        params = spec.row.params
        angles: dict[str, str] = {}
        if spec.family == "go":
            flags = {"anti": params["anti"], "integrate": spec.interval, "seq": spec.sequence}
            trial |= {"ground_truth": trial["target"], **flags}
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
        return f"<{type(self).__name__} {self.task}, {self.battery.settings.rules} rules>"


class MultiEnvs(block.MultiEnvs):  # type: ignore[misc]
    """neurogym's ``MultiEnvs`` with gymnasium's ``reset``."""

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        """Return the result of the current environment's ``reset``."""
        return self.env.reset(**arguments)


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


def _own_timing(task: str, timing: Any, rules: Any) -> Any:
    """Return a timing without the periods that only other tasks have, and ``("constant", ms)`` as a number."""
    if not isinstance(timing, Mapping):
        return timing
    known = Battery([task], rules=rules).tables.timings[0]
    others = {period for row in YANG19 for period in row.periods if period not in known}
    own = {period: ms for period, ms in timing.items() if period not in others}
    for period, ms in own.items():
        if isinstance(ms, list | tuple) and len(ms) == 2 and str(ms[0]) == "constant":
            own[period] = ms[1]
    return own


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
        params = names.parse(task).row.params
        if "sequential" in params and (cohs := keywords.pop("cohs", None)) is not None:
            keywords["strengths" if params["sequential"] else "coherences"] = cohs
        if (timing := keywords.pop("timing", None)) is not None:
            keywords["timing"] = _own_timing(task, timing, keywords["rules"])
        return ScriptEnv(task, **keywords)

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
