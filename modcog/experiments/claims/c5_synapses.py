"""C5: as many synapses instead of as many units."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from modcog.colours import PALETTE
from modcog.experiments.claims.claim import Answer, Claim, Verdict, compare, final_accuracy, per_cell
from modcog.experiments.claims.figures import draw_curves, log_axis, percent_axis
from modcog.experiments.claims.protocol import LOCAL, network, presets


def verdict(results: pd.DataFrame, curves: pd.DataFrame) -> Verdict:
    """Compare every LM-RNN with the dense network that has as many synapses."""
    cells = per_cell(results)
    dense = cells.loc[cells["arch"] == "dense", "arm"].iloc[0]
    local = list(cells.loc[cells["arch"] == "lm-rnn", "arm"].unique())
    comparisons = [compare(cells, arm, dense) for arm in local]
    findings = [final_accuracy(cells, arm) for arm in (*local, dense)]
    findings += [finding for comparison in comparisons for finding in comparison.findings]
    worst_first: tuple[Answer, ...] = ("does not hold", "cannot tell", "holds")
    answer = min((comparison.answer for comparison in comparisons), key=worst_first.index)
    better = sum(comparison.gap.low > 0 for comparison in comparisons)
    because = f"{better} of {len(local)} LM-RNNs end significantly higher than the dense network with as many synapses."
    return Verdict(answer, because, tuple(findings))


def figure(results: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Draw learning curves, and the accuracy at the end against the number of units."""
    drawing = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = drawing.subplots(1, 2)
    cells = per_cell(results)
    draw_curves(left, cells, curves)
    for colour, (arm, rows) in zip(PALETTE, cells.groupby("arm", sort=False), strict=False):
        label = f"{arm}: {rows['synapses'].iloc[0]:,.0f} synapses"
        right.scatter(rows["hidden"], rows["accuracy"], color=colour, label=label)
    log_axis(right, cells["hidden"], "units")
    percent_axis(right, "decision accuracy at the end")
    right.legend(frameon=False, loc="lower right")
    return drawing


C5 = Claim(
    name="C5",
    title="As many synapses instead of as many units",
    says="An LM-RNN is better than a dense network with the same number of synapses, which has fewer units.",
    test="It holds if every LM-RNN ends significantly higher than the dense network with as many synapses, and needs "
    "significantly fewer trials to the highest of 50, 75 and 90 % that either reached. It does not hold if one does "
    "not end higher, or needs as many trials or more, with an interval that excludes the opposite.",
    presets=presets(
        # 1,300 synapses: 64 units at 32 %, and 36 units with all connections
        [network("lm-rnn", 64, 0.32), network("lm-rnn", 128, LOCAL), network("dense", 36)],
        # 5,200 to 5,700: what radii on a sheet allow
        [
            network("lm-rnn", 256, LOCAL),
            network("lm-rnn", 512, LOCAL / 4),
            network("lm-rnn", 128, LOCAL * 4),
            network("dense", 73),
        ],
    ),
    verdict=verdict,
    figure=figure,
)
