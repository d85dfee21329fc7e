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
from modcog.envs.pool import Pool
from modcog.errors import ModcogError, UnknownNameError
from modcog.seeds import check_seed
from modcog.tasks.names import parse

SAME_STEP = gymnasium.__version__.startswith("0.")
"""Gymnasium 0.29 resets a finished copy in the step that ends it, 1.x in the step after."""

_gymnasium_vector: Any = import_module("gymnasium.experimental.vector" if SAME_STEP else "gymnasium.vector")

_METADATA: dict[str, Any] = {"render_modes": []}
if hasattr(_gymnasium_vector, "AutoresetMode"):  # since 1.1
    _METADATA["autoreset_mode"] = _gymnasium_vector.AutoresetMode.NEXT_STEP

VectorStep = tuple[
    NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]  # fmt: skip

_FROM_GYMNASIUM = ("num_envs", "vectorization_mode", "vector_kwargs", "wrappers", "max_episode_steps")


class ModCogVectorEnv(_gymnasium_vector.VectorEnv):  # type: ignore[misc]
    """Many copies of one Mod-Cog task, stepped together; see ``ModCogEnv`` for spaces, rewards and options.

    Copy i plays the trials of the single environment with the same seed; ``reset(seed=s)`` gives copy i seed s + i.
    ``gymnasium.make_vec(id, num_envs=64, vectorization_mode="custom")`` makes it; gymnasium 1.x calls that mode
    ``"vector_entry_point"``, and takes it by default.

    Args:
        task: name of the task.
        num_envs: copies.
        **keywords: the options and settings of ``ModCogEnv``.
    """

    metadata = _METADATA

    def __init__(self, task: str, num_envs: int = 1, **keywords: Any) -> None:
        self.num_envs = check_count("num_envs", num_envs)
        self.task = task
        self._spec: Any = None
        self._set_up({name: value for name, value in keywords.items() if name not in _FROM_GYMNASIUM})

    def _set_up(self, keywords: dict[str, Any]) -> None:
        self._keywords = keywords
        self.battery, self.options = read_options(self.task, keywords)
        if self.options.render_mode is not None:
            raise ModcogError("render_mode: the vector environment draws no pictures; render a single environment")
        self.render_mode = None
        ring = self.battery.settings.dim_ring
        box = spaces.Box(-np.inf, np.inf, (self.battery.n_channels,), np.float32)
        self.single_observation_space, self.single_action_space = box, spaces.Discrete(ring + 1)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.pool = Pool(self.battery, self.options, self.num_envs)
        self._every: NDArray[np.bool_] = np.ones(self.num_envs, np.bool_)
        self._none: NDArray[np.bool_] = np.zeros(self.num_envs, np.bool_)
        self._started = False
        self._pending: NDArray[np.bool_] = self._none  # copies that the next step resets
        self._done_trials = np.zeros(self.num_envs, np.int64)

    @property
    def spec(self) -> Any:
        """Gymnasium's specification of this environment."""
        return self._spec

    @spec.setter
    def spec(self, spec: Any) -> None:
        """Take the specification, and the settings in it that gymnasium 0.29 does not hand to the constructor."""
        self._spec = spec
        wanted = {name: value for name, value in (spec.kwargs if spec else {}).items() if name not in _FROM_GYMNASIUM}
        wanted.pop("task", None)
        if wanted and {**self._keywords, **wanted} != self._keywords:
            self._set_up({**self._keywords, **wanted})

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
        if seed is not None:
            self.pool.seed(self._seeds(seed))
        self._started = True
        self.pool.advance(np.arange(self.num_envs))
        self._done_trials = np.zeros(self.num_envs, np.int64)
        self._pending = self._none
        return self.pool.observations(), {}

    def _seeds(self, seed: int | list[int | None]) -> list[int | None]:
        if isinstance(seed, list | tuple):
            if len(seed) != self.num_envs:
                raise ModcogError(f"seed: got {len(seed)} seeds, must be {self.num_envs}, one for each copy")
            return [one if one is None else check_seed(one) for one in seed]
        first = check_seed(seed)
        return [first + i for i in range(self.num_envs)]

    def step(self, actions: NDArray[np.integer]) -> VectorStep:
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
        pool, pending = self.pool, self._pending
        label, reward, ended = pool.judge(self._checked(actions))
        if pending.any():
            reward[pending], ended[pending] = 0.0, False
            live = ~pending
            label = np.where(pending, 0, label)
            pool.advance(np.flatnonzero(pending))
            pool.step(live & ~ended)
        else:
            live = self._every
            pool.step(~ended)
        terminated, infos = self._none.copy(), self._infos(label, ended, live)
        self._pending = self._none
        if ended.any():
            self._end(np.flatnonzero(ended), label, terminated, infos)
        return pool.observations(), reward, terminated, self._none.copy(), infos

    def _infos(self, label: NDArray[np.int64], ended: NDArray[np.bool_], live: NDArray[np.bool_]) -> dict[str, Any]:
        return {"gt": label, "_gt": live.copy(), "new_trial": ended, "_new_trial": live.copy()}

    def _end(
        self, lanes: NDArray[np.intp], label: NDArray[np.int64], terminated: NDArray[np.bool_], infos: dict[str, Any]
    ) -> None:
        """Report the trials that ended in ``lanes`` and begin what follows them."""
        limit = self.options.trials_per_episode
        self._done_trials[lanes] += 1
        over = np.zeros(len(lanes), np.bool_) if limit is None else self._done_trials[lanes] >= limit
        finished = lanes[over]
        terminated[finished] = True
        final = terminated if SAME_STEP else self._none
        if final.any():
            self._say_final(finished, label, infos)
        goes_on = lanes[~final[lanes]]
        for lane, performance in zip(goes_on.tolist(), self.pool.performance(goes_on).tolist(), strict=True):
            self._add_info(infos, {"performance": performance, "trial": self.pool.trial_of(lane)}, lane)
        self._done_trials[finished] = 0
        if SAME_STEP or not len(finished):
            self.pool.advance(lanes)
        else:
            self.pool.advance(lanes[~over])
            self.pool.blank(finished)
            self._pending = terminated.copy()

    def _say_final(self, lanes: NDArray[np.intp], label: NDArray[np.int64], infos: dict[str, Any]) -> None:
        """Say how the episodes ended of copies that are reset in the same step."""
        observations, found = (np.full(self.num_envs, None, object) for _ in range(2))
        columns = lanes.tolist(), label[lanes].tolist(), self.pool.performance(lanes).tolist()
        for lane, gt, performance in zip(*columns, strict=True):
            observations[lane] = self.pool.zeros.copy()
            trial = self.pool.trial_of(lane)
            found[lane] = {"gt": gt, "new_trial": True, "performance": performance, "trial": trial}
        mask = self._none.copy()
        mask[lanes] = True
        infos["final_observation"], infos["_final_observation"] = observations, mask
        infos["final_info"], infos["_final_info"] = found, mask.copy()
        for name in ("gt", "new_trial"):
            infos[name][lanes], infos[f"_{name}"][lanes] = 0, False

    def _checked(self, actions: Any) -> NDArray[np.integer]:
        found = np.asarray(actions)
        if found.shape != (self.num_envs,) or found.dtype.kind not in "iu":
            raise ModcogError(
                f"actions: got {found.dtype} of shape {found.shape}, must be whole numbers of shape ({self.num_envs},)"
            )
        if found.min() < 0 or found.max() > self.battery.settings.dim_ring:
            raise ModcogError(
                f"actions: got {found.min()} … {found.max()}, must be from 0 to {self.battery.settings.dim_ring}"
            )
        return found

    def close(self, **keywords: Any) -> None:
        """Nothing is open."""


def __getattr__(name: str) -> Any:
    """The vector environment of the task ``name``."""
    try:
        return partial(ModCogVectorEnv, task=parse(name).name)
    except UnknownNameError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
