"""The vector environment: many copies of one task in a single set of NumPy arrays, without neurogym.

Gymnasium finds it as ``modcog.envs.vector:<task>``, an attribute made when it is asked for.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from modcog.checks import check_count
from modcog.envs.options import read_options
from modcog.envs.stepping import Pool
from modcog.errors import ModcogError, UnknownNameError
from modcog.seeds import check_seed
from modcog.tasks.names import parse

SAME_STEP = gymnasium.__version__.startswith("0.")
"""Gymnasium 0.29 resets a finished copy in the step that ends it, 1.x in the step after."""

_gymnasium_vector: Any = import_module("gymnasium.experimental.vector" if SAME_STEP else "gymnasium.vector")

_METADATA: dict[str, Any] = {"render_modes": []}
if hasattr(_gymnasium_vector, "AutoresetMode"):  # since 1.1
    _METADATA["autoreset_mode"] = _gymnasium_vector.AutoresetMode.NEXT_STEP

_NO_LANES: NDArray[np.intp] = np.zeros(0, np.intp)


class ModCogVectorEnv(_gymnasium_vector.VectorEnv):  # type: ignore[misc]
    """Many copies of one Mod-Cog task, stepped together; see ``ModCogEnv`` for spaces, rewards and options.

    Copy i plays the trials of the single environment with the same seed; ``reset(seed=s)`` gives copy i seed s + i.
    ``gymnasium.make_vec(id, num_envs=64, vectorization_mode="custom")`` makes it; gymnasium 1.x calls that mode
    ``"vector_entry_point"``, and takes it by default.

    Args:
        task: name of the task.
        num_envs: copies.
        max_episode_steps: steps after which an episode is truncated; None: never.
        **keywords: the options and settings of ``ModCogEnv``.
    """

    metadata = _METADATA

    def __init__(self, task: str, num_envs: int = 1, max_episode_steps: int | None = None, **keywords: Any) -> None:
        self.num_envs = check_count("num_envs", num_envs)
        self.task = task
        self._spec: Any = None
        self._set_up({"max_episode_steps": max_episode_steps, **keywords})

    def _set_up(self, keywords: dict[str, Any]) -> None:
        self._keywords = dict(keywords)
        limit = keywords.pop("max_episode_steps")
        self.max_episode_steps = None if limit is None else check_count("max_episode_steps", limit)
        self.battery, self.options = read_options(self.task, keywords)
        if self.options.render_mode is not None:
            raise ModcogError("render_mode: the vector environment draws no pictures; render a single environment")
        self.render_mode = None
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (self.battery.n_channels,), np.float32)
        self.single_action_space = spaces.Discrete(self.battery.n_actions)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.pool = Pool(self.battery, self.options, self.num_envs)
        self._none: NDArray[np.bool_] = np.zeros(self.num_envs, np.bool_)
        self._all = ~self._none
        self._started = False
        self._finished = _NO_LANES  # copies that the next step resets
        self._trials_done: NDArray[np.int64] = np.zeros(self.num_envs, np.int64)
        self._steps_done: NDArray[np.int64] = np.zeros(self.num_envs, np.int64)

    @property
    def spec(self) -> Any:
        """Gymnasium's specification of this environment."""
        return self._spec

    @spec.setter
    def spec(self, spec: Any) -> None:
        """Take the specification, and the settings in it that gymnasium 0.29 does not hand to the constructor."""
        self._spec = spec
        no_options = {"task", "num_envs", "vectorization_mode"}
        wanted = {name: value for name, value in (spec.kwargs if spec else {}).items() if name not in no_options}
        if (keywords := {**self._keywords, **wanted}) != self._keywords:
            self._set_up(keywords)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode in every copy.

        Args:
            seed: s gives copy i seed s + i; a list gives each its own; None goes on with the next trials.
            options: none are known; accepted as gymnasium asks.

        Returns:
            First observations (num_envs, C) float32, and an empty info.

        Raises:
            ModcogError: if a seed is not a whole number ≥ 0, or some copies only are to be reset.
        """
        if "reset_mask" in (options or {}):
            raise ModcogError("options: reset_mask is not known; finished copies are reset by step, others by reset()")
        if isinstance(seed, list | tuple):
            if len(seed) != self.num_envs:
                raise ModcogError(f"seed: got {len(seed)} seeds, must be {self.num_envs}, one for each copy")
            self.pool.seed([None if one is None else check_seed(one) for one in seed])
        elif seed is not None:
            self.pool.seed([check_seed(seed) + i for i in range(self.num_envs)])
        self._started, self._finished = True, _NO_LANES
        self._begin(np.arange(self.num_envs))
        return self.pool.observations(), {}

    def _begin(self, lanes: NDArray[np.intp]) -> None:
        """Begin an episode in the copies ``lanes``, (k,)."""
        self.pool.advance(lanes)
        self._trials_done[lanes] = 0
        if self.max_episode_steps is not None:
            self._steps_done[lanes] = 0

    def step(
        self, actions: NDArray[np.integer]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Judge one action for each copy and go on.

        Args:
            actions: (num_envs,) whole numbers, 0 … dim_ring.

        Returns:
            observations (num_envs, C) float32, rewards float64, terminations and truncations bool, (num_envs,) each,
            and infos: arrays with masks, as gymnasium's own vector environments give them.

        Raises:
            ModcogError: if the actions are not of that form, or ``reset`` has not been called.
        """
        if not self._started:
            raise ModcogError("call reset() before step()")
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,) or actions.dtype.kind not in "iu":
            given = f"{actions.dtype} of shape {actions.shape}"
            raise ModcogError(f"actions: got {given}, must be whole numbers of shape ({self.num_envs},)")
        low, high, last = actions.min(), actions.max(), self.battery.n_actions - 1
        if low < 0 or high > last:
            raise ModcogError(f"actions: got {low} … {high}, must be from 0 to {last}")
        pool, starting, playing = self.pool, self._finished, self._all
        label, reward, ended = pool.judge(actions)
        if len(starting):
            playing = playing.copy()
            playing[starting] = ended[starting] = False
            label[starting] = reward[starting] = 0
        infos = {"gt": label, "_gt": playing.copy(), "new_trial": ended, "_new_trial": playing.copy()}
        pool.step(playing ^ ended)
        terminated, truncated = self._none.copy(), self._none.copy()
        finished, reports = self._end_trials(np.flatnonzero(ended)) if ended.any() else (_NO_LANES, {})
        terminated[finished] = True
        if len(starting):
            self._begin(starting)
        if self.max_episode_steps is not None:
            self._steps_done[playing] += 1
            truncated = self._steps_done >= self.max_episode_steps
            finished = np.flatnonzero(terminated | truncated)
        if not SAME_STEP:
            self._finished = finished
        elif len(finished):
            self._report_final(finished, infos, reports)
            self._begin(finished)
        for lane, of_trial in reports.items():
            self._add_info(infos, of_trial, lane)
        return pool.observations(), reward, terminated, truncated, infos

    def _end_trials(self, lanes: NDArray[np.intp]) -> tuple[NDArray[np.intp], dict[int, dict[str, Any]]]:
        """End the trials of the copies ``lanes``, (k,), and begin the next in those whose episode goes on.

        Returns:
            The copies whose episode has ended, and a report of each trial that has, by copy.
        """
        pool, limit = self.pool, self.options.trials_per_episode
        ended = zip(lanes.tolist(), pool.performance(lanes).tolist(), strict=True)
        reports = {lane: {"performance": performance, "trial": pool.trial_of(lane)} for lane, performance in ended}
        self._trials_done[lanes] += 1
        over = self._trials_done[lanes] >= limit if limit is not None else self._none[lanes]
        finished, others = lanes[over], lanes[~over]
        if len(finished):
            pool.blank(finished)
        if len(others):
            pool.advance(others)
        return finished, reports

    def _report_final(self, lanes: NDArray[np.intp], infos: dict[str, Any], reports: dict[int, dict[str, Any]]) -> None:
        """Move the infos and reports of the copies ``lanes``, (k,), to those of an episode's last step."""
        observations, found = (np.full(self.num_envs, None, object) for _ in range(2))
        columns = lanes.tolist(), self.pool.observations(lanes), infos["gt"][lanes].tolist(), infos["new_trial"][lanes]
        for lane, observation, gt, new_trial in zip(*columns, strict=True):
            observations[lane] = observation
            found[lane] = {"gt": gt, "new_trial": bool(new_trial), **reports.pop(lane, {})}
        mask = self._none.copy()
        mask[lanes] = True
        infos |= {"final_observation": observations, "_final_observation": mask}
        infos |= {"final_info": found, "_final_info": mask.copy()}
        for name in ("gt", "new_trial"):
            infos[name][lanes], infos[f"_{name}"][lanes] = 0, False


def __getattr__(name: str) -> Any:
    """Return the maker of the vector environment of the task ``name``."""
    try:
        return partial(ModCogVectorEnv, task=parse(name).name)
    except UnknownNameError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
