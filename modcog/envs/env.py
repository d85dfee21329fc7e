"""The single environment: a gymnasium environment and, where neurogym is installed, a neurogym ``TrialEnv``, too."""

from __future__ import annotations

import copy
import operator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from modcog.envs.stepping import OUTCOMES, SEQUENCE, demands, read_options
from modcog.envs.trial_env import Box, Discrete, TrialEnv
from modcog.errors import ModcogError, shown
from modcog.seeds import Purpose, Seed, check_seed
from modcog.trials.arrays import Trials
from modcog.trials.source import TrialSource

_Block = tuple[Trials, list[int], list[tuple[int, ...]]]


class ModCogEnv(TrialEnv):  # type: ignore[misc]
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

    **Copies.** ``copy.deepcopy`` gives an environment that stands at the same step of the same trial and then goes on
    with trials of its own; they follow from the original's seed and from how many copies came before. So the lanes of
    ``neurogym.Dataset`` differ, and are the same again if the environment was seeded the same. A pickled environment
    goes on exactly as the original would.

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
        **settings: those of ``modcog.Battery``: ``dt``, ``sigma``, ``dim_ring``, ``rules``, ``timing`` …

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
        self.battery, options = read_options(task, {**settings, "render_mode": render_mode})
        chosen = self.battery.settings
        super().__init__(dt=chosen.dt)
        self.task = task
        self.trials_per_episode, self.abort = options.trials_per_episode, options.abort
        self.rewards = options.rewards.model_dump()
        self.render_mode = options.render_mode
        self.timing = dict(self.battery.tables.timings[0])
        self.dim_ring, self.sigma = chosen.dim_ring, chosen.sigma / np.sqrt(chosen.dt)
        self.theta = np.arange(self.dim_ring) * (2 * np.pi / self.dim_ring)
        matches = ("match", "flag") in [(one.name, one.kind) for one in self.battery.tables.conditions]
        self.choices: Any = ["match", "non-match"] if matches else np.arange(self.dim_ring)
        self._before, self._in_decision = demands(self.battery.tables)
        self.t_ind = self._trials_done = 0
        self._over, self._opening = True, False
        self._picture: Any = None
        self._last: tuple[int, int] | None = None
        self.trial: dict[str, Any] = {}
        self.ob: NDArray[np.float32] = np.zeros((0, self.battery.n_channels), np.float32)
        self.gt: NDArray[np.int64] = np.zeros(0, np.int64)
        first, second = range(1, 1 + self.dim_ring), range(1 + self.dim_ring, 1 + 2 * self.dim_ring)
        channels = {"fixation": 0, "stimulus_mod1": first, "stimulus_mod2": second}
        self.observation_space = Box(-np.inf, np.inf, shape=self.ob.shape[1:], dtype=np.float32, name=channels)
        self.action_space = Discrete(self.battery.n_actions, name={"fixation": 0, "choice": first})
        self._seeded = False
        self._begin(Seed.of(None, Purpose.SAMPLE))

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
        self._source = TrialSource(self.battery.tables, root)
        self._index = self._block_number = self._copies = 0
        self._block: _Block | None = None
        own = replace(root, purpose=Purpose.ACTIONS).sequence()
        self.rng = np.random.RandomState(np.random.MT19937(own))
        self.action_space.seed(int(own.generate_state(1)[0]))

    def __deepcopy__(self, memo: dict[int, Any]) -> ModCogEnv:
        """Return a copy at the same step of the same trial, with trials of its own to follow."""
        twin = memo[id(self)] = type(self).__new__(type(self))
        state = self.__getstate__()
        shared = {"battery", "spec", "observation_space", "theta", "choices"} & state.keys()  # nothing changes them
        twin.__dict__.update({name: state.pop(name) for name in shared})
        del state["rng"], state["_source"]  # the copy begins its own
        twin.action_space = copy.copy(state.pop("action_space"))
        twin.__dict__.update({name: copy.deepcopy(value, memo) for name, value in state.items()})
        self._copies += 1
        twin._begin(self._source.seed.child(self._copies))
        twin._seeded = True
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Return everything that cannot be made again from the rest, as tables, blocks of trials and pictures can."""
        made_again = {"_block": None, "_picture": None, "_source": self._source.seed}
        return {**self.__dict__, **made_again, "ob": self.ob.copy(), "gt": self.gt.copy()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._source = TrialSource(self.battery.tables, state["_source"])

    def new_trial(self, **conditions: Any) -> dict[str, Any]:
        """Go to the next trial.

        Args:
            **conditions: conditions to fix, by their names in ``trials.conditions`` (``direction=3``,
                ``duration_delay=700`` …); the others are drawn. neurogym's ``ground_truth`` is ``"match"`` or
                ``"non-match"`` in tasks with the condition ``match``, elsewhere the direction to respond in before
                any extension.

        Returns:
            All conditions of the trial.

        Raises:
            ModcogError: for a condition that does not exist, is out of range or contradicts another.
        """
        if conditions:
            block, place = _laid_out(self._fixed(conditions)), 0
        else:
            number, place = self._source.place(self._index)
            if self._block is None or self._block_number != number:
                self._block, self._block_number = _laid_out(self._source.block(number)), number
            block = self._block
        self._index += 1
        trials, offsets, steps = block
        first, end = offsets[place], offsets[place + 1]
        self.ob, self.gt = trials.packed_observations[first:end], trials.packed_labels[first:end]
        self.trial = trials.rows[place]
        times = _period_times(trials.periods[0], steps[place], self.dt)
        self.start_ind, self.start_t, self.end_ind, self.end_t = map(dict.copy, times)
        self.tmax = self._tmax = (end - first) * self.dt
        self._ob_built = self._gt_built = self._has_gt = True  # as neurogym's tools ask
        self._demand = self._in_decision[self.trial["respond"]]
        self.t, self.t_ind, self.performance, self._right = 0.0, 0, 0.0, 0
        self._last, self._over = None, False
        self.num_tr += 1
        return self.trial

    def _fixed(self, conditions: dict[str, Any]) -> Trials:
        """Return a trial under the given conditions, drawn independently of the sequence of trials."""
        if "ground_truth" not in conditions:
            return self._source.one(self._index, conditions)
        wanted = conditions.pop("ground_truth")
        conditions = {name: value for name, value in conditions.items() if name not in ("p", "probs")}
        matches = isinstance(self.choices, list)
        if wanted not in self.choices:
            allowed = f"one of {self.choices}" if matches else f"from 0 to {self.dim_ring - 1}"
            raise ModcogError(f"ground_truth: got {wanted!r}, must be {allowed}")
        if matches:
            return self._source.one(self._index, {**conditions, "match": int(wanted == "match")})
        return self._source.one(self._index, conditions, target=int(wanted))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode with a new trial and return its first observation, (C,) float32, and an empty info.

        ``options["step_fn"]`` is how neurogym's wrappers ask for the first observation to pass through their ``step``.
        """
        if seed is not None:
            seed = check_seed(seed)  # gymnasium takes no number but Python's own, and only after our trials began anew
            self.seed(seed)
        gym.Env.reset(self, seed=seed)
        self._trials_done = self.num_tr = 0
        self._top.new_trial()
        if (step := (options or {}).get("step_fn")) is not None:
            self._top.unwrapped._opening = True
            return step(0)[0], {}
        if self.render_mode == "human":
            self.render()
        return self._top.unwrapped.ob[0], {}

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
        if not 0 <= chosen <= self.dim_ring:
            raise ModcogError(f"action: got {shown(action)}, must be a whole number from 0 to {self.dim_ring}")
        label, responds = int(self.gt[self.t_ind]), chosen != 0
        # neurogym's wrappers change when the current trial's decision begins and when the trial ends, so both are
        # looked up at each step instead of being laid out as in the pool.
        now = (self.t_ind + 0.5) * self.dt
        early = now < self.start_t["decision"]
        demand = self._before[responds and now > self.end_t.get("fixation", 0)] if early else self._demand
        last = now + self.dt > self.tmax
        earned, ended, right = OUTCOMES[demand + 4 * last + 2 * (chosen == label) + responds]
        reward = 0.0
        if earned:
            ended = ended or (self.abort and earned == "abort")
            shares = len(self.gt) - self.start_ind["decision"] if demand == SEQUENCE else 1
            reward = self.rewards[earned] / shares
            self._right += right
            self.performance = self._right / shares
        self.t_ind += 1
        self.t = self.t_ind * self.dt
        info: dict[str, Any] = {"gt": label, "new_trial": ended}
        if ended:
            info["performance"], info["trial"] = self.performance, self.trial
            self._trials_done += 1
            self._over = self.trials_per_episode is not None and self._trials_done >= self.trials_per_episode
            if not self._over:
                self._top.new_trial()
            ob = np.zeros_like(self.ob[0]) if self._over else self._top.unwrapped.ob[0]
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

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._picture is not None:
            self._picture.close()
            self._picture = None

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self.task}>"


def _whole(action: Any) -> int:
    """Return a whole number of any type as an int; −1 for anything else."""
    with suppress(TypeError):
        return -1 if isinstance(action, bool | np.bool_) else operator.index(action)
    return -1


def _laid_out(trials: Trials) -> _Block:
    """Return trials with their offsets, and the steps of each one's periods, as plain numbers: quicker one by one."""
    columns = [trials.conditions[f"steps_{period}"].tolist() for period in trials.periods[0]]
    return trials, trials.offsets.tolist(), list(zip(*columns, strict=True))


@lru_cache(maxsize=1024)
def _period_times(periods: tuple[str, ...], steps: tuple[int, ...], dt: float) -> tuple[dict[str, Any], ...]:
    """Return the step and the ms at which each period starts, and those at which it ends, if they last ``steps``."""
    ends = tuple(accumulate(steps))
    starts = (0, *ends[:-1])
    times = (starts, [i * dt for i in starts], ends, [i * dt for i in ends])
    return tuple(dict(zip(periods, at, strict=True)) for at in times)
