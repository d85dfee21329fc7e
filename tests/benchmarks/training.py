"""Cost of a training step, the share of it that is data, and the progress of the quick preset in a minute.

    python tests/benchmarks/training.py [--minute]

For each network a step is timed as the trainer makes it: a batch of 128 trials from the generator, forward, backward,
clipping and Adam, on one thread; batch and network are timed in turn, so that both see the same machine. The bar: the
batch takes less than a tenth of the step at 256 units. ``--minute`` runs the preset ``quick`` until it reaches 60 %.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from timing import print_machine, print_table, seconds  # isort: skip  (one core, before torch is imported)

import torch

from modcog import Battery
from modcog.training import TrainConfig, train
from modcog.training.batches import ROUND, make_batches
from modcog.training.loop import loss, make_optimizer
from modcog.training.run import build_model

ROUNDS = 5
IN_ROUND = ROUND // 128
NETWORKS = [
    ("lm-rnn", "modcog132", {"density": 0.1}),
    ("dense", "modcog132", {}),
    ("gru", "modcog132", {}),
    ("lm-rnn", "yang19", {"density": 0.1}),
    ("autapse", "yang19", {}),
]


def main() -> None:
    """Print the table, and time the quick preset if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minute", action="store_true", help="Also run the preset quick to 60 %%.")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print_machine()
    rows = [measured(arch, tasks, more) for arch, tasks, more in NETWORKS]
    print_table(
        "One update, 256 units, 128 trials", ["network", "tasks", "batch", "network's part", "batch's share"], rows
    )
    if args.minute:
        minute()


def measured(arch: str, tasks: str, more: dict[str, float]) -> list[str]:
    """A row: median milliseconds of the batch and of the rest, and the share of the batch in all steps together."""
    config = TrainConfig.of(arch=arch, tasks=tasks, **more)
    battery = Battery.from_config(config.battery_settings())
    network, batches = build_model(config, battery), make_batches(config, battery)
    optimizer = make_optimizer(config, network)

    def update(index: int) -> tuple[float, float]:
        found = []
        making = seconds(lambda: found.append(batches(index)))
        (batch,) = found

        def learn() -> None:
            optimizer.zero_grad()
            for part in batch.parts:
                (loss(network(part.observations), part) / batch.weight).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
            optimizer.step()

        return making, seconds(learn)

    rounds = []  # of as many updates as the trainer draws trials for at once
    for number in range(1 + ROUNDS):
        times = [update(number * IN_ROUND + place) for place in range(IN_ROUND)]
        rounds.append([1e3 * sum(column) / IN_ROUND for column in zip(*times, strict=True)])
    making, learning = (statistics.median(column) for column in zip(*rounds[1:], strict=True))
    share = statistics.median(batch / (batch + rest) for batch, rest in rounds[1:])
    return [arch, tasks, f"{making:.1f} ms", f"{learning:.1f} ms", f"{share:.1%}"]


def minute() -> None:
    """Time the preset quick to 60 % mean decision accuracy."""
    with tempfile.TemporaryDirectory() as folder:
        run = None

        def go() -> None:
            nonlocal run
            run = train(TrainConfig.of("quick", target_accuracy=0.6, out=Path(folder) / "run"), progress_bar=False)

        took = seconds(go)
        assert run is not None
        print(f"\nquick: {run.decision_accuracy:.1%} after {took:.0f} s ({run.status})")


if __name__ == "__main__":
    main()
