"""Scripted agents, and what battery.md's section 5 says they earn, worked out from labels alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modcog.trials.arrays import Trials


@dataclass(frozen=True)
class Script:
    """One trial as a subject meets it, read off the labels of a sample.

    Attributes:
        labels: right action at each step.
        start: step at which the decision begins.
        guarded: steps before the decision in which a response is punished.
        kind: "respond", "hold" or "sequence".
    """

    labels: list[int]
    start: int
    guarded: int
    kind: str

    @classmethod
    def of(cls, trials: Trials, i: int, rules: str) -> Script:
        labels = trials.labels[i, : trials.lengths[i]].tolist()
        start = int(trials.decision_start[i])
        if rules == "published":
            return cls(labels, start, trials.period_steps(i)["fixation"], "respond")
        if not any(labels[start:]):
            return cls(labels, start, start, "hold")
        return cls(labels, start, start, "sequence" if "seq" in trials.tasks[trials.task[i]] else "respond")

    def outcome(
        self, actions: list[int], *, abort: bool = False, broke: float = -0.1, correct: float = 1.0, fail: float = 0.0
    ) -> tuple[list[float], float]:
        """Rewards until the trial ends, and the performance it ends with."""
        rewards: list[float] = []
        decision = len(self.labels) - self.start
        for step, (action, label) in enumerate(zip(actions, self.labels, strict=True)):
            last = step == len(self.labels) - 1
            if step < self.start:
                punished = action != 0 and step < self.guarded
                rewards.append(broke if punished else 0.0)
                if punished and abort:
                    return rewards, 0.0
            elif self.kind == "sequence":
                rewards.append((correct if action == label else fail) / decision)
            elif action != 0:
                right = self.kind == "respond" and action == label
                return [*rewards, correct if right else fail], float(right)
            else:
                rewards.append(correct if last and self.kind == "hold" else 0.0)
        if self.kind == "sequence":
            right = sum(a == b for a, b in zip(actions[self.start :], self.labels[self.start :], strict=True))
            return rewards, right / decision
        return rewards, float(self.kind == "hold")


def perfect(script: Script, n_actions: int, rng: np.random.Generator) -> list[int]:
    return script.labels


def fixating(script: Script, n_actions: int, rng: np.random.Generator) -> list[int]:
    return [0] * len(script.labels)


def premature(script: Script, n_actions: int, rng: np.random.Generator) -> list[int]:
    """Responds once, somewhere before the decision, and is perfect otherwise."""
    actions = list(script.labels)
    actions[rng.integers(script.start)] = int(rng.integers(1, n_actions))
    return actions


def mistaken(script: Script, n_actions: int, rng: np.random.Generator) -> list[int]:
    """Holds fixation, then responds one direction beside what is right from the second step of the decision on."""
    wrong = [1 + label % (n_actions - 1) for label in script.labels]
    return [0 if step <= script.start else action for step, action in enumerate(wrong)]


def random(script: Script, n_actions: int, rng: np.random.Generator) -> list[int]:
    return rng.integers(0, n_actions, len(script.labels)).tolist()


AGENTS = (perfect, fixating, premature, mistaken, random)
