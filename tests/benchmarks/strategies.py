"""Every strategy's level against a player of it, on trials: all 132 tasks under both rule sets.

python tests/benchmarks/strategies.py                     # 20,000 trials of each task; about half an hour
python tests/benchmarks/strategies.py -n 2000 --tasks dm1,dmsintr

Players are written from what the strategies are, and share no code with the levels: labels are worked out from the
rules, what is to be expected without a stimulus is counted in other trials, and only what the noisy stimuli say is
taken from the ideal observer of the base task. A level holds if the player's score is within 4 standard errors.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from timing import print_machine, print_table

from modcog import TASKS, Battery
from modcog.evaluation import STRATEGIES, IdealObserver, levels, score
from modcog.tasks.names import parse
from modcog.trials.arrays import Trials

Ints = NDArray[Any]


class Game:
    """Trials of one task, and what a player can know of them."""

    def __init__(self, task: str, rules: str, n: int) -> None:
        self.battery, self.spec, self.rules = Battery([task], rules=rules), parse(task), rules
        self.trials = self.battery.sample(n, seed=1)
        self.steps = int((self.trials.lengths - self.trials.decision_start).max())
        self.time = self._times(self.trials)

    def _times(self, trials: Trials) -> Ints:
        return trials.conditions["interval_ms"] if self.spec.interval else np.zeros(len(trials))

    def label(self, target: Ints, ms: Ints, step: Ints) -> Ints:
        """Return the action that a target asks for."""
        moved = self.spec.sequence * np.floor(0.01 * 100 * step + 1e-9)
        stimulus_moves = self.rules == "published" and self.spec.family == "go"
        interval = 0 if stimulus_moves else self.spec.interval * np.floor(0.01 * ms + 1e-9)
        if self.rules == "published":
            return ((1 + (target + interval) % 16 + moved) % 16).astype(int)
        return (1 + (target + interval + moved) % 16).astype(int)

    def course(self, target: Ints, ms: Ints, respond: Ints | bool = True, still: bool = False) -> Ints:
        """Return the actions, (n, steps), of a player who takes the target for ``target`` and T for ``ms``."""
        step = np.zeros(self.steps) if still else np.arange(self.steps)
        actions = self.label(np.asarray(target)[:, None], np.broadcast_to(ms, np.shape(target))[:, None], step)
        return np.where(np.broadcast_to(respond, np.shape(target))[:, None], actions, 0)

    def score(self, course: Ints) -> dict[str, float]:
        """Return the scores of actions in the decision, (n, steps), after holding fixation before it."""
        steps = np.arange(self.trials.labels.shape[1]) - self.trials.decision_start[:, None]
        actions = np.take_along_axis(course, np.clip(steps, 0, self.steps - 1), axis=1)
        found = score(np.where(steps >= 0, actions, 0), self.trials)
        return {kind: found.mean(kind) for kind in ("decision", "trial", "last_step")}

    def labels(self, trials: Trials) -> Ints:
        """Return the labels in the decision, (n, steps)."""
        start = trials.decision_start[:, None] + np.arange(self.steps)
        return np.take_along_axis(trials.labels, start, axis=1)

    # --- players: each returns scores; one is picked for each score where they differ ---

    def blind(self) -> list[Ints]:
        """Answer what other trials of the same T ask for most often at each step."""
        other = self.battery.sample(60_000, seed=2)
        times, labels, course = self._times(other), self.labels(other), np.zeros((len(self.trials), self.steps), int)
        for ms in np.unique(self.time):
            count = np.stack([np.bincount(step, minlength=17) for step in labels[times == ms].T])
            course[self.time == ms] = count.argmax(axis=1)
        return [course, np.zeros_like(course)]

    def no_comparison(self) -> list[Ints]:
        columns = self.trials.conditions
        if self.spec.family == "decision":
            coin = np.random.default_rng(3).random(len(self.trials)) < 0.5
            return [self.course(np.where(coin, columns["direction1"], columns["direction2"]), self.time)]
        if self.spec.family == "match":
            always = self.course(columns["test_direction"], self.time)
            return [always, np.zeros_like(always)]
        return self.ideal()

    def no_memory(self) -> list[Ints]:
        """Answer what other trials that look the same now ask for most often, at whatever step; or at the last."""
        other = self.battery.sample(60_000, seed=2)
        labels, now, then = self.labels(other), self._look(self.trials), self._look(other)
        courses = []
        for asked in (labels.ravel(), labels[:, -1]):
            look = np.repeat(then, len(asked) // len(then))
            best = {k: np.bincount(asked[look == k], minlength=17).argmax() for k in np.unique(now)}
            course = np.array([best[k] for k in now])
            courses.append(np.repeat(course[:, None], self.steps, axis=1))
        return [*courses, np.zeros_like(courses[0])]

    def _look(self, trials: Trials) -> Ints:
        """Return a number for what the rings show in the decision."""
        first = trials.packed_observations[trials.offsets[:-1] + trials.decision_start][:, 1:33]
        return np.where(first.any(axis=1), 1 + first.argmax(axis=1), 0)

    def _belief(self) -> tuple[Ints, Ints]:
        """Return the likeliest target, before an interval moves it, and whether to respond."""
        if self.spec.family == "go":
            anti = 8 * ("anti" in self.spec.base)
            target = self.trials.conditions["target"] if self.rules == "published" else None
            place = self.trials.conditions["direction"] if target is None else target
            return (place if target is not None else place + anti) % 16, np.ones(len(self.trials), bool)
        answer = IdealObserver(self.spec.base, self.battery.settings).posterior(self.trials).argmax(axis=1)
        return np.maximum(answer - 1, 0), answer > 0

    def no_clock(self) -> list[Ints]:
        """One T in all trials, unless the stimulus tells it or it never varies."""
        target, respond = self._belief()
        ms = 600.0 if len(np.unique(self.time)) > 1 else self.time
        return [self.course(target, ms, respond)]

    def no_sequence(self) -> list[Ints]:
        target, respond = self._belief()
        return [self.course(target, self.time, respond, still=True)]

    def ideal(self) -> list[Ints]:
        target, respond = self._belief()
        return [self.course(target, self.time, respond)]


def main() -> None:
    """Compare, and print what does not agree and a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=20_000, help="trials of each task")
    parser.add_argument("--tasks", default=",".join(TASKS))
    args = parser.parse_args()
    print_machine()
    start, apart, largest, n = time.perf_counter(), [], dict.fromkeys(STRATEGIES, 0.0), 0
    for rules in ("corrected", "published"):
        known = levels(Battery(rules=rules))
        for task in args.tasks.split(","):
            game = Game(task, rules, args.n)
            for strategy in STRATEGIES:
                tried = [game.score(course) for course in getattr(game, strategy.replace("-", "_"))()]
                for kind in ("decision", "trial", "last_step"):
                    level = known[task].values[strategy][kind]
                    found = max(one[kind] for one in tried)
                    error = np.sqrt(max(level * (1 - level), 1 / args.n) / args.n) + known[task].error
                    gap = (found - level) / error
                    n += 1
                    if kind == "decision":
                        largest[strategy] = max(largest[strategy], abs(gap))
                    if abs(gap) > 4:
                        numbers = [f"{100 * value:.2f}" for value in (found, level)]
                        apart.append([task, rules, strategy, kind, *numbers, f"{gap:.1f}"])
                        print(*apart[-1], flush=True)
    took = time.perf_counter() - start
    print_table("players further than 4 standard errors from the level",
                ["task", "rules", "strategy", "score", "player %", "level %", "errors"], apart)  # fmt: skip
    print(f"{n} comparisons, {len(apart)} apart, {took:.0f} s; largest gap in decision accuracy, in standard errors:")
    print(", ".join(f"{name} {gap:.1f}" for name, gap in largest.items()))


if __name__ == "__main__":
    main()
