"""C3: an LM-RNN trains in fewer trials than a dense network of as many units, and there is a best density."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from modcog.colours import PALETTE
from modcog.experiments.claims.claim import Answer, Claim, Verdict, compare, final_accuracy, per_cell
from modcog.experiments.claims.figures import draw_seeds, light_frame, log_axis, percent_axis
from modcog.experiments.claims.protocol import network, presets
from modcog.experiments.sweeps.results import THRESHOLDS


def verdict(results: pd.DataFrame, curves: pd.DataFrame) -> Verdict:
    """Compare the density that ends highest with the dense network and with the sparsest."""
    cells = per_cell(results)
    local = cells[cells["arch"] == "lm-rnn"]
    dense = cells.loc[cells["arch"] == "dense", "arm"].iloc[0]
    best = local.groupby("arm")["accuracy"].mean().idxmax()
    sparsest = local.loc[local["density"].idxmin(), "arm"]
    findings = [final_accuracy(cells, arm) for arm in (*local["arm"].unique(), dense)]
    against_dense, against_sparsest = compare(cells, best, dense), compare(cells, best, sparsest)
    findings += against_dense.findings + against_sparsest.findings[: best != sparsest]
    answer: Answer = against_dense.answer
    if answer == "holds" and not against_sparsest.gap.low > 0:  # 0 for the sparsest itself
        answer = "cannot tell"  # a sparser network, which was not trained, might be better still
    result = "no network reached an accuracy that trials are counted to."
    if speed := against_dense.speed:
        result = f"it needs {speed.mean:.2f} times the trials of the dense network to the highest accuracy that either "
        result += "reached."
    return Verdict(answer, f"The best density is that of {best}; {result}", tuple(findings))


def figure(results: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Draw trials to each threshold, and the accuracy at the end, against density."""
    drawing = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = drawing.subplots(1, 2)
    cells = per_cell(results)
    cells["density"] = cells["density"].where(cells["arch"] != "dense", 1.0)
    cells = cells.sort_values("density")
    for percent, colour in zip(THRESHOLDS, PALETTE, strict=False):
        reached = cells[cells[f"reached_{percent}"]]
        if len(reached):
            draw_seeds(left, reached, "density", f"trials_to_{percent}", colour, f"to {percent} %")
            left.legend(frameon=False)
    left.set_ylim(bottom=0)
    left.yaxis.set_major_formatter(EngFormatter(sep=""))
    left.set_ylabel("trials of training")
    light_frame(left)
    draw_seeds(right, cells, "density", "accuracy", PALETTE[0], "at the end")
    percent_axis(right)
    for axes in (left, right):
        log_axis(axes, cells["density"], "density of the recurrent connections in % (100: dense)", factor=100)
    return drawing


C3 = Claim(
    name="C3",
    title="An LM-RNN trains in fewer trials than a dense network, and there is a best density",
    says="With as many units, a network with local connections learns the tasks in fewer trials than a dense one, and "
    "a certain density is best.",
    test="The best density is the one with the highest accuracy at the end. The claim holds if it needs significantly "
    "fewer trials than the dense network to the highest of 50, 75 and 90 % that either reached, and ends significantly "
    "higher than both the sparsest and the dense. (The density is chosen and judged on the same runs, which favours it "
    "a little.)",
    presets=presets(
        [*(network("lm-rnn", 64, density) for density in (0.02, 0.08, 0.32)), network("dense", 64)],
        [*(network("lm-rnn", 256, density) for density in (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)), network("dense", 256)],
    ),
    verdict=verdict,
    figure=figure,
)
