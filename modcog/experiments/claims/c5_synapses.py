"""C5: as many synapses instead of as many units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from modcog.colours import PALETTE
from modcog.experiments.claims.claim import Answer, Claim, Verdict
from modcog.experiments.claims.figures import draw_curves, percent_axis
from modcog.experiments.claims.protocol import FULL, LOCAL, SEEDS, SMALL, network
from modcog.experiments.claims.speed import compare, last_ratio, reach
from modcog.experiments.claims.tables import per_cell
from modcog.experiments.sweeps import Grid

if TYPE_CHECKING:
    import pandas as pd

PRESETS = {
    # 64 units at 32 %, and 36 units with all connections: 1,300 synapses
    "small": Grid(
        settings=SMALL,
        arms=(network("lm-rnn", 64, 0.32), network("lm-rnn", 128, LOCAL), network("dense", 36)),
        axes={"seed": [0, 1]},
    ),
    # 5,200 to 5,700 synapses: what radii on a sheet allow
    "full": Grid(
        settings=FULL,
        arms=(
            network("lm-rnn", 256, LOCAL),
            network("lm-rnn", 512, LOCAL / 4),
            network("lm-rnn", 128, LOCAL * 4),
            network("dense", 73),
        ),
        axes={"seed": SEEDS},
    ),
}


def score(results: pd.DataFrame, curves: pd.DataFrame) -> Verdict:
    """Every LM-RNN against the dense network with as many synapses."""
    cells = per_cell(results)
    dense = cells.loc[cells["arch"] == "dense", "arm"].iloc[0]
    local = list(cells.loc[cells["arch"] == "lm-rnn", "arm"].unique())
    findings = [finding for arm in (*local, dense) for finding in reach(cells, arm)]
    against = {arm: compare(cells, arm, dense) for arm in local}
    gaps = [found[0].estimate for found in against.values()]
    ratios = [last_ratio(found) for found in against.values()]
    answer: Answer = "cannot tell"
    if all(gap.low > 0 for gap in gaps) and all(ratio is not None and ratio.high < 1 for ratio in ratios):
        answer = "holds"
    elif any(gap.high <= 0 for gap in gaps) or any(ratio is not None and ratio.low >= 1 for ratio in ratios):
        answer = "does not hold"
    better = sum(gap.low > 0 for gap in gaps)
    because = f"{better} of {len(local)} LM-RNNs end surely higher than the dense network with as many synapses."
    return Verdict(answer, because, (*findings, *(finding for found in against.values() for finding in found)))


def figure(results: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Learning curves, and the accuracy at the end against the number of units."""
    drawing = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = drawing.subplots(1, 2)
    cells = per_cell(results)
    draw_curves(left, cells, curves)
    for colour, (arm, rows) in zip(PALETTE, cells.groupby("arm", sort=False), strict=False):
        right.scatter(
            rows["hidden"], rows["accuracy"], color=colour, label=f"{arm}: {rows['synapses'].iloc[0]:,.0f} synapses"
        )
    right.set_xscale("log", base=2)
    ticks = sorted(cells["hidden"].unique())
    right.set_xticks(ticks, [str(tick) for tick in ticks])
    right.set_xlabel("units")
    percent_axis(right, "decision accuracy at the end")
    right.legend(frameon=False, loc="lower right")
    return drawing


C5 = Claim(
    name="C5",
    title="As many synapses instead of as many units",
    says="An LM-RNN is better than a dense network with the same number of synapses, which has fewer units.",
    test="It holds if every LM-RNN surely ends higher than the dense network with as many synapses, and surely gets to "
    "the highest of 50, 75 and 90 % that either reached in fewer trials. It does not hold if one surely does not.",
    presets=PRESETS,
    score=score,
    figure=figure,
)
