"""The vector environment: many copies of one task in a single set of NumPy arrays, without neurogym.

Gymnasium finds it as ``modcog.envs.vector:<task>``, an attribute made when it is asked for.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.checks import as_array, check_count
from modcog.envs.fixed import FixedSettings, fixed
from modcog.envs.stepping import OUTCOMES, EnvOptions, ending, read_options, step_demands
from modcog.errors import ModcogError, UnknownNameError, shown
from modcog.seeds import Purpose, Seed, check_seed
from modcog.tasks.names import parse
from modcog.trials.arrays import Trials
from modcog.trials.source import TrialSource
from modcog.validation import ReadOnlyDict

SAME_STEP = gymnasium.__version__.startswith("0.")
"""Gymnasium 0.29 resets a finished copy in the step that ends it, 1.x in the step after."""

_gymnasium_vector: Any = import_module("gymnasium.experimental.vector" if SAME_STEP else "gymnasium.vector")

_NO_LANES: NDArray[np.intp] = np.zeros(0, np.intp)


class ModCogVectorEnv(FixedSettings, _gymnasium_vector.VectorEnv):  # type: ignore[misc]
    """Many copies of one Mod-Cog task, stepped together; see ``ModCogEnv`` for spaces, rewards and options.

    Copy i plays the trials of the single environment with the same seed; ``reset(seed=s)`` gives copy i seed s + i.
    ``copy.deepcopy`` gives an environment that stands at the same steps and goes on with trials of its own.
    ``gymnasium.make_vec(id, num_envs=64, vectorization_mode="custom")`` makes it; gymnasium 1.x calls that mode
    ``"vector_entry_point"``, and takes it by default.

    Args:
        task: name of the task.
        num_envs: copies.
        max_episode_steps: steps after which an episode is truncated; None: never.
        **keywords: the options and settings of ``ModCogEnv``.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  as gymnasium has it
    if hasattr(_gymnasium_vector, "AutoresetMode"):  # since 1.1
        metadata["autoreset_mode"] = _gymnasium_vector.AutoresetMode.NEXT_STEP

    same_step = SAME_STEP

    num_envs: int = fixed("num_envs", lambda env: env.pool.lanes, meaning="Copies.")
    max_episode_steps: int | None = fixed("max_episode_steps", lambda env: env._limit, meaning="Limit of an episode.")
    abort: bool = fixed("abort", lambda env: env.options.abort)
    trials_per_episode: int | None = fixed("trials_per_episode", lambda env: env.options.trials_per_episode)
    rewards: dict[str, float] = fixed(
        "rewards", lambda env: ReadOnlyDict(env.options.rewards.model_dump(), f"rewards: are fixed in {env}")
    )
    options: EnvOptions = fixed("options", lambda env: env._options, "the options")

    def __init__(self, task: str, num_envs: int = 1, max_episode_steps: int | None = None, **keywords: Any) -> None:
        self._spec: Any = None
        self._set_up({"task": task, "num_envs": num_envs, "max_episode_steps": max_episode_steps, **keywords})

    def _set_up(self, keywords: dict[str, Any]) -> None:
        """Make the environment of these keywords; where one is wrong, nothing has changed."""
        given = dict(keywords)
        lanes, limit = check_count("num_envs", given.pop("num_envs")), given.pop("max_episode_steps")
        limit = None if limit is None else check_count("max_episode_steps", limit)
        battery, options = read_options(given.pop("task"), given)
        if options.render_mode is not None:
            raise ModcogError("render_mode: the vector environment draws no pictures; render a single environment")
        self.pool = Pool(battery, options, lanes)
        self._keywords, self._battery, self._options, self._limit = keywords, battery, options, limit
        self.render_mode = None
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (battery.n_channels,), np.float32)
        self.single_action_space = spaces.Discrete(battery.n_actions)
        self.observation_space = batch_space(self.single_observation_space, lanes)
        self.action_space = batch_space(self.single_action_space, lanes)
        self._none: NDArray[np.bool_] = np.zeros(lanes, np.bool_)
        self._all = ~self._none
        self._started = False
        self._finished = _NO_LANES  # copies that the next step resets
        self._trials_done: NDArray[np.int64] = np.zeros(lanes, np.int64)
        self._steps_done: NDArray[np.int64] = np.zeros(lanes, np.int64)

    @property
    def spec(self) -> Any:
        """Gymnasium's specification of this environment."""
        return self._spec

    @spec.setter
    def spec(self, spec: Any) -> None:
        """Take the specification, and the settings in it that gymnasium 0.29 does not hand to the constructor.

        Raises:
            ModcogError: for a wrong setting, or one that this environment cannot have.
        """
        if getattr(spec, "additional_wrappers", ()):
            raise ModcogError(
                f"additional_wrappers: {spec.id} wraps single environments, which the vector environment has none of; "
                'take vectorization_mode="sync", or wrap the vector environment'
            )
        given = {name: value for name, value in (spec.kwargs if spec else {}).items() if name != "vectorization_mode"}
        if (keywords := {**self._keywords, **given}) != self._keywords:
            self._set_up(keywords)
        self._spec = spec

    def __deepcopy__(self, memo: dict[int, Any]) -> ModCogVectorEnv:
        """Return a copy in which each copy of the task stands where it stood, with trials of its own to follow."""
        twin = memo[id(self)] = type(self).__new__(type(self))
        shared = {name: self.__dict__[name] for name in ("_battery", "_options", "_spec", "_keywords")}
        state = {name: value for name, value in self.__dict__.items() if name not in shared}
        twin.__dict__.update(shared, **copy.deepcopy(state, memo))
        return twin

    def __copy__(self) -> ModCogVectorEnv:
        """Return a deep copy: two environments that share their trials would step on each other."""
        return copy.deepcopy(self)

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
        if not isinstance(options, Mapping | None):
            raise ModcogError(f"options: got {shown(options)}, must be a dict or None")
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
        if self._limit is not None:
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
        try:
            actions = as_array(actions, 1)
        except ValueError:  # lists within the list
            raise ModcogError(f"actions: got {shown(actions)}, must be {self.num_envs} whole numbers") from None
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
        pool.position += playing ^ ended
        terminated, truncated = self._none.copy(), self._none.copy()
        finished, reports = self._end_trials(np.flatnonzero(ended)) if ended.any() else (_NO_LANES, {})
        terminated[finished] = True
        if len(starting):
            self._begin(starting)
        if self._limit is not None:
            self._steps_done[playing] += 1
            truncated = self._steps_done >= self._limit
            finished = np.flatnonzero(terminated | truncated)
        if not self.same_step:
            self._finished = finished
        elif len(finished):
            self._report_final(finished, infos, reports)
            self._begin(finished)
        for lane, of_trial in reports.items():
            self._add_info(infos, of_trial, lane)
        return pool.observations(), reward, terminated, truncated, infos

    def _end_trials(self, lanes: NDArray[np.intp]) -> tuple[NDArray[np.intp], dict[int, dict[str, Any]]]:
        """Begin the next trial in the copies ``lanes``, (k,), whose episode goes on; return the others, and reports."""
        pool, limit = self.pool, self.options.trials_per_episode
        reports = pool.reports(lanes)
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


class Pool:
    """The current block of trials of each copy ("lane") and the step at which each lane stands.

    Every array has ``width`` places for each lane, one lane after the other. A lane's first place is blank: zeros that
    it shows between two episodes. From the second on follow the steps of its trials, back to back. So trials begin and
    end by changes of ``position``, for all lanes at once; only a lane that is at the end of its block copies arrays.

    The battery has one task. The seeds of the L lanes come from the operating system until they are given others.
    """

    def __init__(self, battery: Battery, options: EnvOptions, lanes: int) -> None:
        self.tables, self.lanes = battery.tables, lanes
        rewards = options.rewards.model_dump()
        self._reward = np.array([rewards.get(earned, 0.0) for earned, _, _ in OUTCOMES])
        self._ends = ending(options.abort)
        self._counts = np.array([right for _, _, right in OUTCOMES], float)
        self._sources = [TrialSource(self.tables, Seed.of(None, Purpose.SAMPLE)) for _ in range(lanes)]
        self._blocks: list[Trials | None] = [None] * lanes
        self._copies = 0
        self._number, self._trial = np.full(lanes, -1), np.full(lanes, -1)
        self._size: NDArray[np.int64] = np.zeros(lanes, np.int64)
        self._first: NDArray[np.int64] = np.zeros((lanes, 0), np.int64)  # place of each trial's first step
        self.position: NDArray[np.int64] = np.arange(lanes)
        self._right = np.zeros(lanes)
        self._width = 1
        self._observation: NDArray[np.float32] = np.zeros((lanes, battery.n_channels), np.float32)
        self._label: NDArray[np.int64] = np.zeros(lanes, np.int64)
        self._demand: NDArray[np.int64] = np.zeros(lanes, np.int64)
        self._shares = np.ones(lanes)

    def seed(self, seeds: list[int | None]) -> None:
        """Start each lane's sequence of trials; the next ``advance`` goes to its first. None: the lane's goes on."""
        for lane, seed in enumerate(seeds):
            if seed is not None:
                self._sources[lane] = TrialSource(self.tables, Seed.of(seed, Purpose.SAMPLE))
                self._number[lane], self._trial[lane], self._size[lane] = -1, -1, 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Pool:
        """Return a pool whose lanes stand at the same steps of the same trials, with trials of their own to follow."""
        twin = memo[id(self)] = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(twin, name, value.copy())
        self._copies += 1
        twin._blocks, twin._copies = list(self._blocks), 0
        twin._sources = [TrialSource(self.tables, one.seed.child(self._copies)) for one in self._sources]
        twin._number[:], twin._size = -1, self._trial + 1  # each lane begins its own trials after the current one
        return twin

    def _widen(self, width: int) -> None:
        """Give each lane ``width`` places, keeping what is there."""
        lanes, old = self.lanes, self._width
        for name in ("_observation", "_label", "_demand", "_shares"):
            rows = getattr(self, name).reshape(lanes, old, -1)
            wider = np.pad(rows, ((0, 0), (0, width - old), (0, 0)))
            setattr(self, name, wider.reshape(lanes * width, *getattr(self, name).shape[1:]))
        shift = np.arange(lanes) * (width - old)
        self._first += shift[:, None]
        self.position += shift
        self._width = width

    def _refill(self, lane: int) -> None:
        """Copy the lane's next block of trials into the arrays."""
        self._number[lane] += 1
        self._trial[lane] = 0
        trials = self._blocks[lane] = self._sources[lane].block(int(self._number[lane]))
        n, steps = len(trials), len(trials.packed_labels)
        if steps >= self._width:
            self._widen(1 + int(steps * 1.1))
        start = lane * self._width + 1
        span = slice(start, start + steps)
        self._observation[span], self._label[span] = trials.packed_observations, trials.packed_labels
        self._demand[span], self._shares[span] = step_demands(self.tables, trials)
        self._size[lane] = n
        if n > self._first.shape[1]:
            self._first = np.pad(self._first, ((0, 0), (0, n - self._first.shape[1])))
        self._first[lane, :n] = start + trials.offsets[:-1]

    def observations(self, lanes: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return the current observations of k lanes (None: of all), (k, C); a new array."""
        return self._observation.take(self.position if lanes is None else self.position[lanes], axis=0)

    def judge(self, actions: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        """Judge an action in each lane: return the right action, the reward, and if the trial ends, (L,) each."""
        position = self.position
        label = self._label.take(position)
        outcome = self._demand.take(position) + (actions == label) * 2 + (actions != 0)
        self._right += self._counts.take(outcome)
        return label, self._reward.take(outcome) / self._shares.take(position), self._ends.take(outcome)

    def advance(self, lanes: NDArray[np.intp]) -> None:
        """Begin the next trial in ``lanes``, (k,) numbers of lanes."""
        self._trial[lanes] += 1
        for lane in lanes[self._trial[lanes] == self._size[lanes]].tolist():
            self._refill(lane)
        self.position[lanes] = self._first[lanes, self._trial[lanes]]
        self._right[lanes] = 0

    def blank(self, lanes: NDArray[np.intp]) -> None:
        """Let ``lanes``, (k,) numbers of lanes, show zeros until they advance."""
        self.position[lanes] = lanes * self._width

    def reports(self, lanes: NDArray[np.intp]) -> dict[int, dict[str, Any]]:
        """Return performance, 0 to 1, and conditions of the current trials of ``lanes``, (k,) numbers of lanes."""
        performance = (self._right[lanes] / self._shares[self.position[lanes]]).tolist()
        found = zip(lanes.tolist(), performance, self._trial[lanes].tolist(), strict=True)
        return {lane: {"performance": done, "trial": self._blocks[lane].rows[trial]} for lane, done, trial in found}


def __getattr__(name: str) -> Any:
    """Return the maker of the vector environment of the task ``name``."""
    try:
        return partial(ModCogVectorEnv, task=parse(name).name)
    except UnknownNameError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
