"""The single environment: a gymnasium environment and, where neurogym is installed, a neurogym ``TrialEnv``, too."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from modcog.checks import check_count
from modcog.envs.fixed import FixedSettings, whole
from modcog.envs.stepping import OUTCOMES, SEQUENCE, LiveRewards, demands, read_env_options, read_options
from modcog.envs.trial_env import Box, Discrete, TrialEnv
from modcog.errors import ModcogError, shown, unknown
from modcog.seeds import Part, Purpose, Seed, check_seed
from modcog.tasks.condition import STEPS
from modcog.trials.arrays import Trials
from modcog.trials.source import TrialSource
from modcog.validation import is_number

KEPT_BY_COPIES = 8
"""Trials that a copy keeps, few enough for it to be smaller than a published environment."""


class _Block(NamedTuple):
    """Trials as an environment keeps them; noise aside, most steps repeat the one before, and are kept once.

    Attributes:
        names: of the k conditions.
        whole: those that are whole numbers.
        values: (n, k) of each trial.
        offsets: steps before each trial, and in all.
        labels: (S,).
        starts: distinct steps before each trial, and in all.
        distinct: (D, C) observations.
        repeats: (D,) steps that each of them lasts.
    """

    names: tuple[str, ...]
    whole: tuple[bool, ...]
    values: NDArray[np.float64]
    offsets: list[int]
    labels: NDArray[np.int16]
    starts: list[int]
    distinct: NDArray[np.float32]
    repeats: NDArray[np.int32]

    @classmethod
    def of(cls, trials: Trials) -> _Block:
        """Return trials of one task in this form."""
        names = tuple(trials[:1].rows[0])
        columns = [trials.conditions[name] for name in names]
        observations, offsets = trials.packed_observations, trials.offsets
        new = np.ones(len(observations) + 1, np.bool_)
        new[1:-1] = (observations[1:] != observations[:-1]).any(axis=1)
        new[offsets] = True
        at = np.flatnonzero(new)
        return cls(
            names,
            tuple(column.dtype.kind in "iu" for column in columns),
            np.stack(columns, axis=1, dtype=np.float64),
            offsets.tolist(),
            trials.packed_labels.astype(np.int16),
            np.searchsorted(at, offsets).tolist(),
            observations[at[:-1]],
            np.diff(at).astype(np.int32),
        )

    def trial(self, i: int) -> tuple[dict[str, Any], NDArray[np.float32], NDArray[np.int64]]:
        """Return the conditions, observations (T, C) and labels (T,) of a trial."""
        values = zip(self.names, self.values[i].tolist(), self.whole, strict=True)
        of = slice(self.starts[i], self.starts[i + 1])
        return (
            {name: int(value) if whole else value for name, value, whole in values},
            self.distinct[of].repeat(self.repeats[of], axis=0),
            self.labels[self.offsets[i] : self.offsets[i + 1]].astype(np.int64),
        )


class _Actions(Discrete):  # type: ignore[misc]
    """An environment's own action space, which a copy makes anew, unlike one that a user has put in its place."""


class ModCogEnv(FixedSettings, TrialEnv):  # type: ignore[misc]
    """One Mod-Cog task, trial after trial.

    **Description.** Each trial runs through the periods of its task: the subject fixates, sees stimuli on two rings of
    directions, waits, and when the fixation cue goes off it responds in the direction the task asks for, holds
    fixation, or, in sequence tasks, follows a target that keeps moving. ``modcog show TASK`` describes a task.

    **Action space.** ``Discrete(n + 1)``: 0 holds fixation, 1 + k responds in direction k of n (``dim_ring``).

    **Observation space.** ``Box(-inf, inf, (1 + 2n,), float32)``: channel 0 is the fixation cue, 1 … n the first
    modality's ring, n + 1 … 2n the second's; with ``rule_input`` the task's own channel, always 1, follows.

    **Rewards.** An action is judged by the label of the observation last returned. Before the decision a response
    costs 0.1. In the decision: where one response is asked for, the first ends the trial and earns 1 if right; where
    fixation is to be held, holding to the end earns 1; in a sequence each right step earns 1 / steps. ``rewards``
    changes these numbers. Under the published rules a response costs 0.1 only in the period named fixation, the first
    response in the decision ends the trial, in sequence tasks too, and holding fixation earns nothing.

    **Starting state.** The first step of a new trial. ``reset(seed=s)`` starts the sequence of trials that
    ``Battery([task], ...).sample(n, seed=s)`` gives; later resets go on in it.

    **Copies.** ``copy.deepcopy``, and ``copy.copy`` alike, gives an environment at the same step of the same trial,
    which then goes on with trials of its own; they follow from the original's seed and from how many copies came
    before. So the lanes of ``neurogym.Dataset`` differ, and are the same again if the environment was seeded the same.
    A copy keeps few trials at a time: it is small, and takes longer for each. A pickled environment goes on exactly as
    the original would.

    **Attributes.** The settings, under the names of their arguments (``sigma`` is the standard deviation in one step).
    They are fixed: a write raises ``FixedError``, an ``AttributeError``. ``abort``, ``rewards`` and
    ``trials_per_episode`` may be written between two steps.

    **Episode end.** After ``trials_per_episode`` trials the episode is terminated, with an observation of zeros; with
    None it never ends. Only ``max_episode_steps`` of ``gym.make`` truncates it.

    **Info.** ``gt``, the right action at this step; ``new_trial``, true if the trial ended with it; and then
    ``performance`` (0 … 1) and ``trial``, the conditions of the trial that ended.

    **Arguments.**

    Args:
        task: name of the task.
        trials_per_episode: trials in an episode, or None.
        abort: end a trial at a response before the decision.
        rewards: other numbers for ``abort`` (−0.1), ``correct`` (1) and ``fail`` (0).
        render_mode: ``"rgb_array"``, ``"human"`` or None.
        **settings: those of ``modcog.Battery``: ``dt``, ``sigma``, ``dim_ring``, ``rules``, ``timing`` …; and ``cohs``,
            which stands for ``coherences`` in dm tasks and ``strengths`` in dlydm tasks, and has no effect in others.

    **Version history.** v0: first release.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  as gymnasium has it
        "render_modes": ["rgb_array", "human"],
        "render_fps": 10,
        "paper_name": "Winning the Lottery With Neural Connectivity Constraints",
        "paper_link": "https://doi.org/10.1162/neco_a_01613",
        "tags": ["perceptual", "working memory", "timing", "supervised"],
    }

    def __init__(
        self,
        task: str,
        *,
        trials_per_episode: int | None = 1,
        abort: bool = False,
        rewards: dict[str, float] | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        settings |= {"trials_per_episode": trials_per_episode, "abort": abort, "rewards": rewards}
        battery, self._options = read_options(task, {**settings, "render_mode": render_mode})
        super().__init__()
        self._battery, self._dt = battery, whole(battery.settings.dt)
        self._rewards = LiveRewards(self._options.rewards.model_dump())
        self.render_mode = self._options.render_mode
        self._before, self._in_decision = demands(battery.tables)
        self.t_ind = self._trials_done = 0
        self._over, self._opening = True, False
        self._picture: Any = None
        self._last: tuple[int, int] | None = None
        self._kept: int | None = None
        self.trial: dict[str, Any] = {}
        self.ob: NDArray[np.float32] = np.zeros((0, battery.n_channels), np.float32)
        self.gt: NDArray[np.int64] = np.zeros(0, np.int64)
        first, second = range(1, 1 + self.dim_ring), range(1 + self.dim_ring, 1 + 2 * self.dim_ring)
        channels = {"fixation": 0, "stimulus_mod1": first, "stimulus_mod2": second}
        self.observation_space = Box(-np.inf, np.inf, shape=self.ob.shape[1:], dtype=np.float32, name=channels)
        self._seeded = False
        self._begin(Seed.of(None, Purpose.SAMPLE))

    # Of thousands of copies, as neurogym's data sets make them, hardly one draws from its own generator or action
    # space, and these take much memory, so both are made when first asked for.

    @cached_property
    def rng(self) -> np.random.RandomState:
        """The generator that neurogym's tools draw from; it follows from the seed, and no trial depends on it."""
        return np.random.RandomState(np.random.MT19937(self._action_seeds()))

    @cached_property
    def action_space(self) -> Discrete:
        """The actions; what they are sampled with follows from the seed."""
        ring = range(1, 1 + self.dim_ring)
        space = _Actions(self.battery.n_actions, name={"fixation": 0, "choice": ring})
        space.seed(int(self._action_seeds().generate_state(1)[0]))
        return space

    def _action_seeds(self) -> np.random.SeedSequence:
        return replace(self._source.seed, purpose=Purpose.ACTIONS).sequence()

    @property
    def abort(self) -> bool:
        """A response before the decision ends the trial; may be changed between two steps."""
        return self._options.abort

    @abort.setter
    def abort(self, abort: bool) -> None:
        self._options = read_env_options({**dict(self._options), "abort": abort})

    @property
    def trials_per_episode(self) -> int | None:
        """Trials in an episode; None: one endless stream of trials; may be changed between two steps."""
        return self._options.trials_per_episode

    @trials_per_episode.setter
    def trials_per_episode(self, trials: int | None) -> None:
        self._options = read_env_options({**dict(self._options), "trials_per_episode": trials})

    @property
    def rewards(self) -> LiveRewards:
        """Rewards by name; may be changed between two steps."""
        return self._rewards

    @rewards.setter
    def rewards(self, rewards: dict[str, float]) -> None:
        if "_battery" in vars(self):  # before, neurogym's constructor writes its own default
            self._options = read_env_options({**dict(self._options), "rewards": rewards})
            self._rewards = LiveRewards(self._options.rewards.model_dump())

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Start the sequence of trials that belongs to a seed.

        With None the trials go on, as with ``reset(seed=None)``, in a copy and where a seed was given before; elsewhere
        they start anew from the operating system's entropy.

        Raises:
            ModcogError: if it is not a whole number ≥ 0.
        """
        if seed is not None or not self._seeded:
            self._begin(Seed.of(seed, Purpose.SAMPLE))
            self._seeded = seed is not None
        return [seed]

    def _begin(self, root: Seed) -> None:
        """Go to the first of a seed's trials."""
        # A copy's own trials come in blocks as small as the part of a block that it keeps.
        self._source = TrialSource(self.battery.tables, root, size=KEPT_BY_COPIES if root.path else None)
        self._index = self._copies = 0
        self._block: _Block | None = None
        self._block_at = (0, 0)
        self.__dict__.pop("rng", None)
        if "action_space" in self.__dict__:
            self.action_space.seed(int(self._action_seeds().generate_state(1)[0]))

    def __deepcopy__(self, memo: dict[int, Any]) -> ModCogEnv:
        """Return a copy at the same step of the same trial, with trials of its own to follow."""
        twin = memo[id(self)] = type(self).__new__(type(self))
        state = self.__getstate__()
        shared = {"_battery", "_options", "spec", "observation_space", "_spaces"} & state.keys()  # nothing changes them
        twin.__dict__.update({name: state.pop(name) for name in shared})
        state.pop("rng", None)  # the copy begins its own
        del state["_source"]
        if isinstance(state.get("action_space"), _Actions):
            del state["action_space"]
        twin.__dict__.update({name: copy.deepcopy(value, memo) for name, value in state.items()})
        self._copies += 1
        twin._kept = KEPT_BY_COPIES
        twin._begin(self._source.seed.child(self._copies))
        twin._seeded = True
        return twin

    def __copy__(self) -> ModCogEnv:
        """Return a deep copy: two environments that share their trial would step on each other."""
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        """Return everything that cannot be made again from the rest, as tables, blocks of trials and pictures can."""
        made_again = {"_block": None, "_picture": None, "_source": self._source.seed}
        return {**self.__dict__, **made_again, "ob": self.ob.copy(), "gt": self.gt.copy()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        seed = state["_source"]
        source = TrialSource(state["_battery"].tables, seed, size=KEPT_BY_COPIES if seed.path else None)
        self.__dict__.update(state, _source=source)

    def new_trial(self, **conditions: Any) -> dict[str, Any]:
        """Go to the next trial.

        Args:
            **conditions: conditions to fix, by their names in ``trials.conditions`` (``direction=3``,
                ``duration_delay=700`` …); the others are drawn, until those that follow from them (``coherence=0.64``,
                ``target=5`` …) are as given. neurogym's ``ground_truth`` is ``"match"`` or
                ``"non-match"`` in tasks with the condition ``match``, elsewhere the direction to respond in before
                any extension.

        Returns:
            All conditions of the trial.

        Raises:
            ModcogError: for a condition that does not exist, is out of range or contradicts another.
        """
        if conditions:
            block, place = _Block.of(self._fixed(conditions)), 0
        else:
            number, place = self._source.place(self._index)
            first = 0 if self._kept is None else place - place % self._kept
            if self._block is None or self._block_at != (number, first):
                trials = self._source.block(number)
                part = trials if self._kept is None else trials[first : first + self._kept]
                self._block, self._block_at = _Block.of(part), (number, first)
            block, place = self._block, place - first
        self._index += 1
        self.trial, self.ob, self.gt = block.trial(place)
        periods = self._battery.tables.periods[0]
        steps = tuple([self.trial[STEPS + period] for period in periods])
        times = _period_times(periods, steps, self._dt)
        self.start_ind, self.start_t, self.end_ind, self.end_t = map(dict.copy, times)
        self.tmax = self._tmax = len(self.gt) * self._dt
        self._ob_built = self._gt_built = self._has_gt = True  # as neurogym's tools ask
        self._demand = self._in_decision[self.trial["respond"]]
        self.t, self.t_ind, self.performance, self._right = 0, 0, 0.0, 0
        self._last, self._over = None, False
        self.num_tr += 1
        return self.trial

    def _fixed(self, conditions: dict[str, Any]) -> Trials:
        """Return a trial under the given conditions, drawn independently of the sequence of trials."""
        if "ground_truth" not in conditions:
            return self._source.one(self._index, conditions)
        wanted, choices = conditions.pop("ground_truth"), self.choices
        conditions = {name: value for name, value in conditions.items() if name not in ("p", "probs")}
        matches = isinstance(choices, list)
        if not (isinstance(wanted, str) or is_number(wanted)) or wanted not in choices:
            allowed = f"one of {choices}" if matches else f"from 0 to {self.dim_ring - 1}"
            raise ModcogError(f"ground_truth: got {shown(wanted)}, must be {allowed}")
        asked = {"match": int(wanted == "match")} if matches else {"target": int(wanted), "respond": 1}
        for name in conditions.keys() & asked.keys():
            if np.ndim(conditions[name]) or conditions[name] != asked[name]:
                given = f"{name}={shown(conditions[name])}"
                raise ModcogError(f"ground_truth: got {shown(wanted)}, which contradicts {given}; give one of the two")
        try:
            return self._source.one(self._index, conditions | asked)
        except ModcogError as error:
            raise ModcogError(f"ground_truth: got {shown(wanted)}; {error}") from None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode with a new trial and return its first observation, (C,) float32, and an empty info.

        ``options["step_fn"]`` is how neurogym's wrappers ask for the first observation to pass through their ``step``.

        Raises:
            ModcogError: if the seed is not a whole number ≥ 0, or the options are no dict of that form.
        """
        step = self._step_function(options)
        if seed is not None:
            seed = check_seed(seed)  # gymnasium takes no number but Python's own, and only after our trials began anew
            self.seed(seed)
        gym.Env.reset(self, seed=seed)
        self._trials_done = self.num_tr = 0
        self._top.new_trial()
        if step is not None:
            self._top.unwrapped._opening = True
            return step(0)[0], {}
        if self.render_mode == "human":
            self.render()
        return self._top.unwrapped.ob[0], {}

    @staticmethod
    def _step_function(options: Any) -> Callable[[int], Any] | None:
        """Return the step function among the options of ``reset``."""
        if not isinstance(options, Mapping | None):
            raise ModcogError(f"options: got {shown(options)}, must be a dict or None")
        step = (options or {}).get("step_fn")
        if step is not None and not callable(step):
            raise ModcogError(f"options: got step_fn {shown(step)}, must be a function or None")
        return step

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Judge ``action`` by the observation last returned and go to the next.

        Raises:
            ModcogError: if the action is not in the action space, or no episode is under way.
        """
        if self._opening:  # a wrapper shows the first observation of an episode
            self._opening = False
            return self.ob[0], 0.0, False, False, {"gt": int(self.gt[0]), "new_trial": False}
        if self._over:
            raise ModcogError("no episode is under way: call reset() before step()")
        chosen = action if type(action) is int else _whole(action)
        if not 0 <= chosen < self._battery.n_actions:
            raise ModcogError(f"action: got {shown(action)}, must be a whole number from 0 to {self.dim_ring}")
        label, responds = int(self.gt[self.t_ind]), chosen != 0
        # neurogym's wrappers change when the current trial's decision begins and when the trial ends, so both are
        # looked up at each step instead of being laid out as in the pool.
        now = (self.t_ind + 0.5) * self._dt
        early = now < self.start_t["decision"]
        demand = self._before[responds and now > self.end_t.get("fixation", 0)] if early else self._demand
        last = now + self._dt > self.tmax
        earned, ended, right = OUTCOMES[demand + 4 * last + 2 * (chosen == label) + responds]
        reward = 0.0
        if earned:
            ended = ended or (self._options.abort and earned == "abort")
            shares = len(self.gt) - self.start_ind["decision"] if demand == SEQUENCE else 1
            reward = self._rewards[earned] / shares
            self._right += right
            self.performance = self._right / shares
        self.t_ind += 1
        self.t = self.t_ind * self._dt
        info: dict[str, Any] = {"gt": label, "new_trial": ended}
        if ended:
            info["performance"], info["trial"] = self.performance, self.trial
            self._trials_done += 1
            limit = self._options.trials_per_episode
            goes_on = limit is None or self._trials_done < limit
            self._over = True  # until there is a next trial, which a user's function of durations may fail to give
            if goes_on:
                self._top.new_trial()
            ob = self._top.unwrapped.ob[0] if goes_on else np.zeros_like(self.ob[0])
        else:
            ob = self.ob[self.t_ind]
        self._last = (chosen, label)
        if self.render_mode == "human":
            self.render()
        return ob, reward, self._over, False, info

    def render(self, mode: str | None = None) -> NDArray[np.uint8] | None:
        """Return a picture of the current step, (H, W, 3) uint8, in mode rgb_array; show it in mode human.

        Raises:
            ModcogError: if there is no trial yet.
        """
        if self.render_mode is None:
            gym.logger.warn("render: the environment was made without a render_mode, 'rgb_array' or 'human'")
            return None
        if not len(self.ob):
            raise ModcogError("there is no trial yet: call reset() before render()")
        from modcog.envs.render import Picture

        if self._picture is None:
            self._picture = Picture(self.dim_ring, str(self.task), self.render_mode, self.metadata["render_fps"])
        step = min(self.t_ind, len(self.ob) - 1)
        period = next(name for name, end in self.end_ind.items() if step < end)
        return self._picture.draw(self.ob[step], period, step, self._last)

    def sample_time(self, period: str) -> float:
        """Draw the duration of a period, in ms, as neurogym's environments do; no trial depends on it.

        Raises:
            UnknownNameError: if the task has no such period.
        """
        if period not in (periods := self.battery.tables.periods[0]):
            raise unknown("period", period, periods)
        steps = self._draw_steps(1, Seed.of(self.rng.randint(2**31), Purpose.ACTIONS).rng())
        return int(steps[0, periods.index(period)]) * self._dt

    def trial_length_stats(self, num_trials: int = 10_000) -> dict[str, float]:
        """Return ``mean``, ``std``, ``percentile_95`` and ``max`` of the steps of ``num_trials`` drawn trials.

        Unlike neurogym's, it leaves the trials of the environment as they are.

        Raises:
            ModcogError: if ``num_trials`` is not a whole number ≥ 1.
        """
        steps = self._draw_steps(check_count("num_trials", num_trials), self._source.seed.rng(Part.LAYOUT))
        length = steps.sum(axis=1)
        found = {"mean": length.mean(), "std": length.std(), "percentile_95": np.percentile(length, 95)}
        return {name: round(float(value), 3) for name, value in found.items()} | {"max": int(length.max())}

    def _draw_steps(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the steps of each period of n trials, (n, P)."""
        tables = self.battery.tables
        return tables.rules.draw_durations(tables.timing, np.zeros(n, np.int64), rng, self._source.seed).steps

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._picture is not None:
            self._picture.close()
            self._picture = None

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self.task}>"


def _whole(action: Any) -> int:
    """Return a whole number of any type, or an array of one, as an int; −1 for anything else."""
    if isinstance(action, np.ndarray) and action.shape == (1,):  # as agents return it that take batches of one
        action = action[0]
    with suppress(TypeError):
        return -1 if isinstance(action, bool | np.bool_) else operator.index(action)
    return -1


@lru_cache(maxsize=1024)
def _period_times(periods: tuple[str, ...], steps: tuple[int, ...], dt: float) -> tuple[dict[str, Any], ...]:
    """Return the step and the ms at which each period starts, and those at which it ends, if they last ``steps``."""
    ends = tuple(accumulate(steps))
    starts = (0, *ends[:-1])
    times = (starts, [i * dt for i in starts], ends, [i * dt for i in ends])
    return tuple(dict(zip(periods, at, strict=True)) for at in times)
