"""The ideal observer against its closed form at 200,000 trials, and the time that all 132 tasks × 2 rule sets take.

python tests/benchmarks/observer.py            # the closed forms
python tests/benchmarks/observer.py --all      # and the time of the whole battery, at the number of trials stored
python tests/benchmarks/observer.py --evaluate # and the time of modcog.evaluate, 132 tasks × 200 trials
python tests/benchmarks/observer.py --runs DIR # and whether any trained network in DIR beats the observer
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import store_ceilings
from timing import print_machine, print_table, seconds

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluation"))
import closed_form
from simulated import simulate

from modcog import Battery, evaluate
from modcog.evaluation import IdealObserver, levels

FORMS = [
    *[(task, rules) for task in ("dm1", "ctxdm2", "multidm") for rules in ("corrected", "published")],
    ("dlydm1", "corrected"),
    ("ctxdlydm2", "corrected"),
]


def closed_forms(n_trials: int) -> None:
    """Default settings, where the directions have to be found; and four directions, where they are as good as known."""
    rows = []
    weak = {"coherences": (0.01, 0.03, 0.07), "strengths": (0.6, 0.63, 0.7)}
    for label, known, settings in (
        ("4 directions, weak", {"n": 4, **weak}, {"dim_ring": 4, **weak}),
        ("default", {}, {}),
    ):
        for task, rules in FORMS:
            start = time.perf_counter()
            found = simulate(IdealObserver(task, Battery([task], rules=rules, **settings).settings), n_trials)
            took = time.perf_counter() - start
            formula = closed_form.accuracy(task, ties=rules == "published", **known)
            gap = found.decision_ceiling - formula
            percent = [f"{100 * value:.3f}" for value in (found.decision_ceiling, found.error, formula, gap)]
            rows.append([label, task, rules, *percent, f"{took:.0f} s"])
            print(*rows[-1], flush=True)
    header = ["settings", "task", "rules", "observer %", "± SE", "closed form %", "gap", "time"]
    print_table(f"{n_trials} trials", header, rows)


def whole_battery() -> None:
    """All levels, as they are stored."""
    with tempfile.TemporaryDirectory() as folder:
        took = seconds(lambda: store_ceilings.store(path=Path(folder) / "ceilings.json"))
    print(f"\n132 tasks × 2 rule sets, {store_ceilings.N_TRIALS} trials each, all cores: {took:.0f} s")


def evaluation() -> None:
    """132 tasks × 200 trials of a 256-unit network, with and without the rule input."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self, n_inputs: int, n_outputs: int) -> None:
            super().__init__()
            self.rnn = torch.nn.RNN(n_inputs, 256, nonlinearity="relu")
            self.readout = torch.nn.Linear(256, n_outputs)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.readout(self.rnn(x)[0])

    for rule_input in (False, True):
        battery = Battery("modcog132", rule_input=rule_input)
        network = Network(battery.n_channels, battery.n_actions)
        times = sorted(seconds(lambda: evaluate(network, battery, 200).table(levels(battery))) for _ in range(3))  # noqa: B023
        shown = ", ".join(f"{t:.1f}" for t in times)
        threads = torch.get_num_threads()
        print(f"evaluate, 132 × 200 trials, 256 units, rule input {rule_input}, {threads} threads: {shown} s")


def trained_networks(folder: Path) -> None:
    """No network may be above the ceiling by more than its interval."""
    from modcog import load_model

    for run in sorted(path.parent for path in folder.glob("*/run.json")):
        model = load_model(run)
        table = evaluate(model, model.battery, 1000, seed=987).table(levels(model.battery))  # type: ignore[arg-type]
        single = {name: score for name, score in table.items() if name in model.battery.tasks}  # type: ignore[union-attr,operator]
        above = [
            name
            for name, score in single.items()
            if score["decision"].interval[0] > score["decision"].levels["ideal"] + 1e-9
        ]
        best = max(single.values(), key=lambda score: score["decision"].share or 0)
        share = f"best share {best['decision'].share:.4f}"
        print(f"{run.name}: {len(single)} tasks, {share}, above the ceiling: {above or 'none'}")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=200_000, help="trials behind a closed-form comparison; 0: none")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--evaluate", action="store_true")
    parser.add_argument("--runs", type=Path)
    args = parser.parse_args()
    print_machine()
    if args.n:
        closed_forms(args.n)
    if args.all:
        whole_battery()
    if args.evaluate:
        evaluation()
    if args.runs:
        trained_networks(args.runs)


if __name__ == "__main__":
    main()
