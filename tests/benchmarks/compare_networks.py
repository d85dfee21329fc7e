"""Write docs/results/networks: the reference networks through the studies and the analyses, from several seeds.

python tests/benchmarks/compare_networks.py runs/networks --jobs 2   # train, measure, write table, figure and page
python tests/benchmarks/compare_networks.py                          # write figure and page anew, from the table

The networks are trained in DIR; finished runs and measures are kept, so that the command resumes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from matplotlib.figure import Figure

import modcog
from modcog.analysis import dimensions, hidden_states, lesions, likeness, shift
from modcog.analysis.states import open_both
from modcog.colours import PALETTE
from modcog.experiments.claims.figures import light_frame
from modcog.experiments.estimate import Estimate
from modcog.experiments.outcomes import holm
from modcog.experiments.studies import plan_study, study
from modcog.experiments.sweeps.results import read_table, write_table
from modcog.files import whole_file, write_text
from modcog.tables import markdown_table

HERE = Path(__file__).parents[2] / "docs/results/networks"
TABLE, FIGURE, PAGE = "measures.csv", "figure.png", "README.md"

NETWORKS: dict[str, dict[str, Any]] = {
    "dense": {"arch": "dense", "model": {"init": "identity"}, "learning_rate": 0.004},
    "LM-RNN 8 %": {"arch": "lm-rnn", "density": 0.08, "model": {"init": "identity"}, "learning_rate": 0.008},
    "autapses": {"arch": "autapse", "learning_rate": 0.004},
    "GRU": {"arch": "gru", "learning_rate": 0.004},
}
"""The networks; the first is the one that the others are compared with."""

SHARED: dict[str, Any] = {"hidden": 256, "batch_size": 64, "seeds": 3, "n_trials": 100}
FEW_SHOT = {"tasks": "modcog132", "steps": 3_000, "warmup": 300, "eval_every": 3_000, "eval_trials": 5}
CONTINUAL = {"tasks": "yang19", "steps": 200, "warmup": 20, "eval_every": 200, "eval_trials": 20}
N_TRIALS = 50
"""Trials of each task in the analyses."""

MEASURES: dict[str, tuple[str, str]] = {
    "trained": ("Composition", "tasks that were trained"),
    "zero-shot": ("Composition", "held-out combinations, no training"),
    "all 10": ("Few-shot", "held out, after 10 updates of all weights"),
    "all 100": ("Few-shot", "held out, after 100 updates of all weights"),
    "all 1000": ("Few-shot", "held out, after 1,000 updates of all weights"),
    "rules 1000": ("Few-shot", "held out, after 1,000 updates of rule weights"),
    "scratch 1000": ("Few-shot", "held out, 1,000 updates from scratch"),
    "kept": ("Few-shot", "tasks trained before, after the 1,000 updates"),
    "interval": ("Shifted", "interval tasks at 1,900 to 2,400 ms"),
    "interval trained": ("Shifted", "interval tasks at trained intervals"),
    "delay": ("Shifted", "delayed tasks at 1,900 to 2,400 ms"),
    "delay trained": ("Shifted", "delayed tasks at trained delays"),
    "sequence": ("Shifted", "sequence tasks of 4 s"),
    "sequence trained": ("Shifted", "sequence tasks of trained length"),
    "noise": ("Shifted", "noisy tasks, noise × 4"),
    "noise trained": ("Shifted", "noisy tasks, trained noise"),
    "lesion": ("Lesions", "change without a tenth of the units, mean over random tenths"),
    "lesion cluster": ("Lesions", "spread over tasks of the change without a cluster"),
    "lesion random": ("Lesions", "spread of the change without as many random units"),
    "dimensions": ("Geometry", "participation ratio of the states of all tasks"),
    "alike": ("Geometry", "CKA with networks of the same kind"),
    "others": ("Geometry", "CKA with networks of other kinds"),
    "shuffled": ("Geometry", "null of the CKA with other kinds, 95 % quantile"),
    "learned": ("Continual", "accuracy on a stage right after it, no method"),
    "continual none": ("Continual", "accuracy on all stages at the end, no method"),
    "continual replay": ("Continual", "accuracy on all stages at the end, replay"),
    "continual ewc": ("Continual", "accuracy on all stages at the end, EWC"),
    "continual si": ("Continual", "accuracy on all stages at the end, synaptic intelligence"),
    "forgetting none": ("Continual", "forgetting, no method"),
    "forgetting replay": ("Continual", "forgetting with replay"),
    "forgetting ewc": ("Continual", "forgetting with EWC"),
    "forgetting si": ("Continual", "forgetting with synaptic intelligence"),
}
"""Group and name of each measure."""

PLAIN = {"dimensions", "alike", "others", "shuffled"}
"""Measures that are no percentages."""

Row = tuple[str, int, str, float]


def settings_of(name: str, kind: str, out: Path) -> dict[str, Any]:
    """Return the arguments of a study of one network."""
    own = FEW_SHOT if kind == "few-shot" else CONTINUAL
    folder = out / kind / NETWORKS[name]["arch"]
    return {**SHARED, **own, **NETWORKS[name], "out": folder}


def bases(name: str, out: Path) -> dict[int, Path]:
    """Return the folders of the base runs by seed."""
    first = plan_study("few-shot", **settings_of(name, "few-shot", out))[0]
    return {key[2]: cell.config.out for key, cell in first.items()}


def studied(name: str, out: Path, jobs: int) -> Iterator[Row]:
    """Train the networks of one kind, and yield what the studies say."""
    rows = study("few-shot", **settings_of(name, "few-shot", out), jobs=jobs).table
    wanted = {
        "all 10": ("all weights", 10, "held out"), "all 100": ("all weights", 100, "held out"),
        "all 1000": ("all weights", 1000, "held out"), "rules 1000": ("rule weights", 1000, "held out"),
        "scratch 1000": ("from scratch", 1000, "held out"), "kept": ("all weights", 1000, "trained"),
        "zero-shot": ("zero-shot", 0, "held out"), "trained": ("zero-shot", 0, "trained"),
    }  # fmt: skip
    means = rows.groupby(["condition", "updates", "tasks", "seed"])["share"].mean()
    for measure, key in wanted.items():
        yield from ((name, int(seed), measure, value) for seed, value in means.loc[key].items())
    outcome = study("continual", **settings_of(name, "continual", out), jobs=jobs).table
    for (method, seed), of in outcome.groupby(["method", "seed"]):
        matrix = of.pivot_table(index="stage", columns="group", values="accuracy", sort=False).sort_index().to_numpy()
        after = matrix[1:]
        if method == "none":
            yield name, int(seed), "learned", float(np.diag(after).mean())
        yield name, int(seed), f"continual {method}", float(after[-1].mean())
        yield name, int(seed), f"forgetting {method}", float((after[:-1].max(0) - after[-1])[:-1].mean())


def analysed(name: str, seed: int, folder: Path) -> list[Row]:
    """Return what the analyses say of one network."""
    found: dict[str, float] = {}
    model, _ = open_both(folder, None, False)
    shared = {"tasks": list(model.trained), "n_trials": N_TRIALS, "seed": seed}
    table = shift(folder, shifts=["interval", "delay", "sequence", "noise"], **shared).table
    for kind, of in table.groupby("shift"):
        share = of.groupby("point", sort=False)["share"].mean()
        found |= {f"{kind} trained": share["trained"], str(kind): share.iloc[-1]}
    rng = np.random.default_rng(seed)
    tenths = {str(k): rng.choice(256, 26, replace=False) for k in range(5)}
    found["lesion"] = float(lesions(folder, groups=tenths, **shared).change.to_numpy().mean())
    clusters = lesions(folder, **shared)
    sizes = clusters.table.groupby("group", sort=False)["units"].first().iloc[1:]
    as_many = {group: rng.choice(256, size, replace=False) for group, size in sizes.items()}
    found["lesion cluster"] = float(clusters.change.std(axis=1).mean())
    random = lesions(folder, groups=as_many, **shared).change
    found["lesion random"] = float(random.std(axis=1).mean())
    found["dimensions"] = float(dimensions(hidden_states(model, **shared))["all tasks"])
    return [(name, seed, measure, float(value)) for measure, value in found.items()]


def compared(folders: dict[tuple[str, int], Path]) -> Iterator[Row]:
    """Yield how like each network is to those of its kind, and to others."""
    names = {f"{name}, seed {seed}": (name, seed) for name, seed in folders}
    tasks = list(modcog.collection("yang19"))
    result = likeness({t: folders[key] for t, key in names.items()}, tasks=tasks, n_trials=N_TRIALS, n_shuffles=10)
    for text, (name, seed) in names.items():
        same = [other for other, (kind, _) in names.items() if kind == name and other != text]
        others = [other for other, (kind, _) in names.items() if kind != name]
        yield name, seed, "alike", float(result.value.loc[text, same].mean())
        yield name, seed, "others", float(result.value.loc[text, others].mean())
        yield name, seed, "shuffled", float(result.null.loc[text, others].mean())


def measure(out: Path, jobs: int) -> pd.DataFrame:
    """Train, measure, and return a row for each network, seed and measure."""
    rows = [row for name in NETWORKS for row in studied(name, out, jobs)]
    folders = {(name, seed): folder for name in NETWORKS for seed, folder in bases(name, out).items()}
    for part in Parallel(jobs)(delayed(analysed)(*key, folder) for key, folder in folders.items()):
        rows += part
    rows += compared(folders)
    return pd.DataFrame(rows, columns=["network", "seed", "measure", "value"])


OF_PAIRS = ("alike", "others", "shuffled")
"""Measures of pairs of networks: the values of seeds share networks, so that they have no interval over seeds."""


def text(measure: str, one: Estimate, sign: bool = False) -> str:
    """Return an estimate with its interval."""
    factor, form = (1.0, ".2f") if measure in PLAIN else (100.0, ".1f")
    mean, low, high = (f"{factor * value:{'+' if sign else ''}{form}}".replace("-", "−") for value in one[:3])
    return f"{mean} [{low}, {high}]".replace(" ", "\N{NO-BREAK SPACE}")


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Return how every network differs from the first in every measure, p corrected for all of them (Holm 1979)."""
    wide = table.pivot(index=["measure", "seed"], columns="network", values="value")
    first, *others = NETWORKS
    rows = []
    for measure in (measure for measure in MEASURES if measure not in OF_PAIRS):
        for other in others:
            gap = wide.loc[measure, other] - wide.loc[measure, first]
            rows.append([measure, other, Estimate.of(gap)])
    found = pd.DataFrame(rows, columns=["measure", "network", "gap"])
    found["p"] = holm([gap.p for gap in found["gap"]])
    return found


def tables(table: pd.DataFrame) -> Iterator[str]:
    """Yield a heading and a table for each group of measures."""
    gaps = differences(table).set_index(["measure", "network"]).sort_index()
    values = table.set_index(["measure", "network", "seed"])["value"].sort_index()
    for group in dict.fromkeys(group for group, _ in MEASURES.values()):
        rows = [["measure", *NETWORKS]]
        for measure, (own, title) in MEASURES.items():
            if own == group:
                found = {name: Estimate.of(values.loc[measure, name]) for name in NETWORKS}
                if measure in OF_PAIRS:
                    rows.append([title, *(f"{one.mean:.2f}" for one in found.values())])
                    continue
                marks = ["", *("" if not gaps.loc[(measure, n), "p"] < 0.05 else " \\*" for n in list(NETWORKS)[1:])]
                rows.append([title, *(text(measure, found[n]) + mark for n, mark in zip(found, marks, strict=True))])
        yield f"### {group}\n\n{markdown_table(rows)}"


def said(table: pd.DataFrame) -> str:
    """Return the differences that are significant, and how many there are of each network."""
    gaps = differences(table)
    found = gaps[gaps["p"] < 0.05]
    first = next(iter(NETWORKS))
    lines = [f"Of {len(gaps)} differences from the {first} networks, {len(found)} are significant after correction:"]
    for row in found.itertuples():
        title = ": ".join(MEASURES[row.measure])
        unit = "" if row.measure in PLAIN else " points"
        lines.append(f"- {row.network}. {title}, {text(row.measure, row.gap, True)}{unit}, p = {row.p:.2g}")
    return "\n".join([lines[0], "", *lines[1:]])


def draw(table: pd.DataFrame) -> Figure:
    """Draw every measure that is a percentage: a dot for each seed and a bar for the mean."""
    shown = [m for m in MEASURES if m not in PLAIN]
    figure = Figure(figsize=(8, 0.3 * len(shown) + 1.2), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(NETWORKS)
    for k, (name, colour) in enumerate(zip(NETWORKS, PALETTE, strict=False)):
        of = table[table["network"] == name].pivot(index="measure", columns="seed", values="value").loc[shown] * 100
        y = np.arange(len(shown)) + (k - (len(NETWORKS) - 1) / 2) * height
        axes.barh(y, of.mean(axis=1), height, color=colour, alpha=0.45, label=name)
        axes.scatter(of, np.repeat(y[:, None], of.shape[1], 1), s=6, color=colour, zorder=3)
    axes.set_yticks(range(len(shown)), [f"{MEASURES[m][0]}: {MEASURES[m][1]}" for m in shown], fontsize=7)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel("%")
    light_frame(axes)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def page(table: pd.DataFrame) -> str:
    """Return the page."""
    rates = ", ".join(f"{name} {one['learning_rate']:g}" for name, one in NETWORKS.items())
    seeds = table["seed"].nunique()
    return f"""# What separates the reference networks

Dense, local (LM-RNN of 8 %), autapse and GRU networks of 256 units, {seeds} seeds each, through the
[analyses](../../analysis.md) and the [studies](../../studies.md). The question is not which is best, but in what they
differ besides their score.

**Rules, recipe and budget.** Corrected rules, the trials of `modcog132`, compositional rule input, batches of 64
trials, Adam with a cosine; few-shot runs keep the peak rate of the base runs, without warm-up or decay. *Base runs*:
{FEW_SHOT["steps"]:,} updates ({FEW_SHOT["steps"] * 64:,} trials) on the
training tasks of `composition-1`, a small budget. *Continual*: {CONTINUAL["steps"]} updates for each family of the 20
base tasks, one after the other. Learning rates: {rates}. Those of the dense network and
the LM-RNN are what shorter runs on other tasks chose (runs of 8,000 updates on
the 82 tasks choose half of both), autapses and GRU got that of the
dense network; so every comparison of the LM-RNN with the dense network is also one of rates, 2 to 1. The
GRU has about three times the parameters of the dense network.

**Numbers.** In composition, few-shot and shifted trials: percentages of the way from chance (0) to the ideal observer
of those trials (100); otherwise decision accuracy. Mean over seeds and 95 % interval (Student's t; wide, with {seeds}
seeds), not corrected for their number. A star: the difference from the dense network, paired by seed, has p < 0.05
after the correction for all differences of this page together (Holm 1979). With {seeds} seeds only very even
differences pass that, so that the lack of a star says little.

{said(table)}

Forgetting is to be read beside what was learned: a network that has learned less of a stage right after it has less of
it to forget. It is negative where later stages helped.

![Every percentage, a dot for each seed]({FIGURE})

{chr(10).join(part + chr(10) for part in tables(table))}
Shifted trials, lesions and dimensions: of the tasks that were trained. Lesions: the *spread* is the standard deviation
over tasks of the change in accuracy without a cluster of units (of the task variance), mean over clusters; without as
many random units it is what any lesion of that size does; its intervals over seeds are rough, since it cannot be below
0. Geometry: linear CKA of mean states by condition, on the same
trials of the 20 base tasks; its null shuffles the directions of one network.

```sh brief
python tests/benchmarks/compare_networks.py runs/networks --jobs 2
```

The values of every network and seed are in `{TABLE}` beside this page.
"""


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", metavar="DIR", help="folder of the runs; without it, draw anew")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    given = parser.parse_args()
    if given.out:
        write_table(measure(given.out.absolute(), given.jobs), HERE / TABLE)
    table = read_table(HERE / TABLE, ["network", "seed", "measure", "value"])
    with whole_file(HERE / FIGURE) as part:
        draw(table).savefig(part, format="png", dpi=110)
    write_text(HERE / PAGE, page(table))


if __name__ == "__main__":
    main()
