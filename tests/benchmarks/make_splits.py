"""Search for the five splits of held-out compositions, and print them as modcog/tasks/splits.py has them.

python tests/benchmarks/make_splits.py

Each of the 112 extended tasks is held out in one split. What the splits must hold is in the documentation of
``modcog.split``; among those drawn that hold it, the ones are taken whose splits are most alike in what they hold out.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

from modcog.tasks.names import TASKS, TaskSpec, parse

N_SPLITS, SEED, DRAWS = 5, 0, 2_000

EXTENDED = [parse(name) for name in TASKS if parse(name).interval or parse(name).sequence]


def kind(spec: TaskSpec) -> str:
    """Return the extensions of a task."""
    return "interval" * bool(spec.interval) + "sequence" * bool(spec.sequence)


def drawn(rng: random.Random) -> dict[str, int]:
    """Draw the split of each task: for each base task and kind of extension others as far as there are enough."""
    found, size = {}, [0] * N_SPLITS
    groups: dict[tuple[str, str], list[TaskSpec]] = {}
    for spec in EXTENDED:
        groups.setdefault((spec.base, kind(spec)), []).append(spec)
    order = list(groups.values())
    rng.shuffle(order)
    for group in order:
        rng.shuffle(group)
        splits = sorted(range(N_SPLITS), key=lambda k: (size[k], rng.random()))
        for spec, split in zip(group, splits, strict=False):
            found[spec.name] = split
            size[split] += 1
    return found


def counts(split_of: dict[str, int]) -> Iterator[Counter[int]]:
    """Count the held-out tasks of each split: all, those of each base task, family, kind, and kind with its signs."""
    groups: dict[tuple[object, ...], Counter[int]] = {}
    for spec in EXTENDED:
        signs = (spec.interval, spec.sequence)
        for key in ((), ("base", spec.base), ("family", spec.family), ("kind", kind(spec)), ("signs", *signs)):
            groups.setdefault(key, Counter())[split_of[spec.name]] += 1
    yield from groups.values()


def unlike(split_of: dict[str, int]) -> int:
    """Return how unlike the splits are: the sum of squares of these numbers, which is least if all are alike."""
    return sum(of[k] ** 2 for of in counts(split_of) for k in range(N_SPLITS))


def search() -> dict[str, int]:
    """Return the best of all draws."""
    rng = random.Random(SEED)
    return min((drawn(rng) for _ in range(DRAWS)), key=unlike)


def main() -> None:
    """Print the held-out tasks of each split, by base task."""
    best = search()
    for k in range(N_SPLITS):
        names = [name for name in TASKS if best.get(name) == k]
        print(f'    "{" ".join(names)}",')


if __name__ == "__main__":
    main()
