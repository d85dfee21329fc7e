"""Scoring an agent, which acts step by step, on the trials that ``evaluate`` scores networks on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.checks import check_count, is_list
from modcog.envs.fixed import FixedSettings
from modcog.envs.stepping import OUTCOMES, ending, step_demands
from modcog.errors import ModcogError, shown
from modcog.evaluation.evaluate import CHUNK, in_chunks
from modcog.evaluation.measures import TOLERANCE, check_tolerance
from modcog.evaluation.scores import Scores, join
from modcog.evaluation.scoring import numbers, score
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import Trials, pad
from modcog.trials.source import per_task
from modcog.trials.tables import Tables
from modcog.user_code import accepted_options, failures_as, required_options

PASSIVE = (
    "Autoreset", "AutoResetWrapper", "ModCogVecEnv", "Monitor", "OrderEnforcing", "PassiveEnvChecker",
    "RecordEpisodeStatistics", "RecordEpisodeStatisticsV0", "RecordVideo", "TimeLimit", "VecMonitor",
)  # fmt: skip
"""Wrappers of environments that change neither observations nor actions."""


def evaluate_agent(
    policy: Any,
    task: Any,
    n_trials: int = 200,
    seed: int | None = 0,
    *,
    n_envs: int | None = None,
    deterministic: bool = True,
    early_end: bool = True,
    abort: bool = False,
    tolerance: float = TOLERANCE,
    **settings: Any,
) -> Scores:
    """Score an agent on ``n_trials`` trials of a task, the ones that ``modcog.evaluate`` takes under this seed.

    A trial ends where the environment ends it. Where one response is asked for, or fixation is to be held, the first
    response of the decision stands for the rest of it. With ``abort`` a response before the decision ends the trial,
    and none of its decision steps is right. A limit of an episode's steps ends no trial.

    Args:
        policy: a function from an observation (C,) float32 to an action, a whole number from 0 to dim_ring, or from
            an observation and a state to an action and the next state; the state is None at the start of each trial.
            If it has a method ``reset``, that is called before each trial. Or a model of Stable-Baselines3 or
            sb3-contrib, or anything else with a method ``predict`` of that form, which plays many trials at once.
        task: name or gymnasium id; a list of these or a ``modcog.Battery``; or an environment of one of the tasks,
            whose settings and ``abort`` hold, and whose number of copies, if it is one of many.
        n_trials: number of trials of each task.
        seed: of the trials; None: from the operating system.
        n_envs: trials played at once, at most; the policy then gets observations (n, C), and gives n actions. None:
            a function plays one at a time.
        deterministic: passed on to a policy that takes it by this name.
        early_end: if false, every trial is played to its last step, as ``modcog.evaluate`` does it.
        abort: end a trial at a response before the decision.
        tolerance: degrees within which a response counts for the directional accuracy.
        **settings: those of ``modcog.Battery``, for a task given by name: ``dt``, ``dim_ring``, ``rule_input`` …

    Returns:
        Scores: as from ``modcog.evaluate``; of a network's actions, and with ``early_end=False``, they are the same.
            A condition ``reaction_time_ms`` is added: from the start of the decision to its first response, NaN
            where there is none.

    Raises:
        ModcogError: if the policy fails or gives anything but such actions, or the environment has a wrapper that
            changes observations or actions.
        UnknownNameError: if there is no such task or setting.
    """
    n, tolerance = check_count("n_trials", n_trials), check_tolerance(tolerance)
    if isinstance(task, str) or is_list(task):
        battery = Battery([task] if isinstance(task, str) else list(task), **settings)
    elif settings:
        raise ModcogError(f"{', '.join(settings)}: are fixed in {shown(task)}; name the task to give settings")
    elif isinstance(task, Battery):
        battery = task
    else:
        env: Any = _environment(task)
        battery, abort = env.battery, abort or env.abort
        n_envs = getattr(env, "num_envs", None) if n_envs is None else n_envs
    agent = _Agent(policy, battery.n_actions, deterministic, n_envs is not None)
    size = CHUNK if agent.many else 1
    size = size if n_envs is None else check_count("n_envs", n_envs)
    ends = ending(abort) if early_end else (np.arange(len(OUTCOMES)) & 4) > 0
    tasks = range(len(battery.tasks))
    chunks = in_chunks(per_task(battery.tables, Seed.of(seed, Purpose.EVALUATION), tasks, n))
    parts = (chunk[i : i + size] for chunk in chunks for i in range(0, len(chunk), size))
    return replace(join([_score(agent, part, battery.tables, ends, tolerance) for part in parts]), battery=battery)


def _environment(env: Any) -> FixedSettings:
    """Return the environment that others may be wrapped around.

    Raises:
        ModcogError: if it is none of ours, or a wrapper changes what an agent sees or does.
    """
    inner = getattr(env, "unwrapped", None)
    if not isinstance(inner, FixedSettings):
        raise ModcogError(
            f"task: got {shown(env)}, must be the name or id of a task, a list of these, a modcog.Battery, or an "
            "environment of modcog's"
        )
    while env is not inner:
        if type(env).__name__ not in PASSIVE:
            raise ModcogError(
                f"task: got an environment in the wrapper {type(env).__name__}, which may change observations or "
                "actions; give the environment without it, and do in the policy what it does"
            )
        env = vars(env).get("venv") or env.env  # the former in Stable-Baselines3
    return inner


class _Agent:
    """A policy of any form as a function from observations (n, C) to actions (n,); ``many``: n is not always 1."""

    def __init__(self, policy: Any, n_actions: int, deterministic: bool, many: bool) -> None:
        if isinstance(policy, type):
            raise ModcogError(f"policy: got the class {policy.__name__}, must be an agent made from it, or a function")
        model = callable(getattr(policy, "predict", None))
        if not model and not callable(policy):
            given = type(policy).__name__
            raise ModcogError(f"policy: got {given}, must be a function from observation to action, or have predict()")
        self.many, self._n_actions, self._model = many or model, n_actions, model
        self._call, self._reset = policy.predict if model else policy, getattr(policy, "reset", None)
        self._normalized = getattr(policy, "get_vec_normalize_env", lambda: None)()  # how a model saw its training
        offered = {"state": None, "episode_start": None, "deterministic": deterministic}
        # The signature of a torch module's own call says nothing.
        described = self._call if model else getattr(policy, "forward", policy)
        self._options = accepted_options(described, offered)
        self._by_place = len(required_options(described)) == 2 and "state" not in self._options
        self._state: Any = None

    def __call__(self, observations: NDArray[np.float32], first: bool) -> NDArray[np.int64]:
        """Act in the next step of n trials, the ``first`` or a later one."""
        n, options = len(observations), dict(self._options)
        given = observations if self.many else observations[0]
        actions = f"{n} whole numbers" if self.many else "a whole number"
        wanted = f"of observations of shape {given.shape} it must make {actions} from 0 to {self._n_actions - 1}"
        with failures_as(f"policy: {wanted}, but failed"):
            if first:
                self._state = None
                if callable(self._reset):
                    self._reset()
            now = {"state": self._state, "episode_start": np.full(n, first)}
            options |= {name: value for name, value in now.items() if name in options}
            seen = given if self._normalized is None else self._normalized.normalize_obs(given)
            found = self._call(seen, *([self._state] if self._by_place else []), **options)
        if isinstance(found, tuple) and len(found) == 2 and (self._model or self._by_place or "state" in options):
            found, self._state = found
        elif self._by_place:
            raise ModcogError(f"policy: got {type(found).__name__}, must be a tuple of action and next state")
        values = numbers(found, f"a policy must give {actions} from 0 to {self._n_actions - 1}")
        if values.shape != (n,) and (self.many or values.shape):
            raise ModcogError(f"policy: {wanted}, but gave shape {values.shape}")
        if (values != np.floor(values)).any() or not 0 <= values.min() <= values.max() < self._n_actions:
            raise ModcogError(f"policy: {wanted}, but gave {shown(values[()].tolist())}")
        return np.atleast_1d(values).astype(np.int64)


def _score(agent: _Agent, trials: Trials, tables: Tables, ends: NDArray[np.bool_], tolerance: float) -> Scores:
    """Let an agent play trials, each until one of the outcomes that end it, ``ends`` (40,), and score what it did."""
    start, labels = trials.decision_start, trials.labels
    cuts = [0, *np.flatnonzero(np.diff(trials.task)) + 1, len(trials)]
    demands = [step_demands(tables, trials[one:other])[0] for one, other in pairwise(cuts)]
    demand = pad(np.concatenate(demands), trials.lengths, 0)
    actions, playing = np.zeros_like(labels), np.ones(len(trials), np.bool_)
    last = np.zeros_like(start)
    for t in range(labels.shape[1]):
        taken = agent(trials.observations[:, t].copy(), t == 0)
        actions[playing, t:] = taken[playing, None]  # stands for the later steps, too, if the trial ends with it
        last[playing] = t
        playing &= ~ends[demand[:, t] + 2 * (taken == labels[:, t]) + (taken != 0)]
        if not playing.any():
            break
    decision = trials.mask & (np.arange(labels.shape[1]) >= start[:, None])
    aborted = last < start
    responds = decision & (actions != 0) & ~aborted[:, None]
    reaction = np.where(responds.any(axis=1), (responds.argmax(axis=1) - start) * trials.dt, np.nan)
    # No action was taken in the decision of an aborted trial: holding is wrong where a response was asked for, and
    # where holding was, an action of no direction.
    no_answer = np.where(labels == 0, trials.dim_ring + 1, 0)
    scores = score(np.where(decision & aborted[:, None], no_answer, actions), trials, tolerance=tolerance)
    return replace(scores, conditions={**scores.conditions, "reaction_time_ms": reaction})
