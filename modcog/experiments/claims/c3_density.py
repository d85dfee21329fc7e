"""C3: an LM-RNN trains in fewer trials than a dense network of as many units, and there is a best density."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from modcog.colours import PALETTE
from modcog.experiments.claims.claim import Answer, Claim, Finding, Verdict
from modcog.experiments.claims.estimate import Estimate, difference
from modcog.experiments.claims.figures import draw_seeds, percent_axis, tidy
from modcog.experiments.claims.protocol import FULL, SEEDS, SMALL, network
from modcog.experiments.claims.speed import THRESHOLDS, compare, last_ratio, reach
from modcog.experiments.claims.tables import per_cell
from modcog.experiments.sweeps import Grid

if TYPE_CHECKING:
    import pandas as pd

DENSITIES = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)


def _arms(hidden: int, densities: tuple[float, ...]) -> tuple[dict[str, object], ...]:
    return (*(network("lm-rnn", hidden, density) for density in densities), network("dense", hidden))


PRESETS = {
    "small": Grid(settings=SMALL, arms=_arms(64, (0.02, 0.08, 0.32)), axes={"seed": [0, 1]}),
    "full": Grid(settings=FULL, arms=_arms(256, DENSITIES), axes={"seed": SEEDS}),
}


def score(results: pd.DataFrame, curves: pd.DataFrame) -> Verdict:
    """The density that learns best, against the dense network and against the sparsest."""
    cells = per_cell(results)
    local = cells[cells["arch"] == "lm-rnn"]
    dense = cells[cells["arch"] == "dense"]["arm"].iloc[0]
    order = local.groupby("arm")["accuracy"].mean().sort_values()
    best, sparsest = order.index[-1], local.loc[local["density"].idxmin(), "arm"]
    findings = [finding for arm in (*local["arm"].unique(), dense) for finding in reach(cells, arm)]
    against_dense = compare(cells, best, dense)
    faster = last_ratio(against_dense)
    findings += against_dense
    rows = cells.set_index("seed")
    against_end = difference(*(rows.loc[rows["arm"] == name, "accuracy"] for name in (best, sparsest)))
    if best != sparsest:  # else a sparser one, which is not here, might be better still
        findings.append(Finding(f"{best} against {sparsest}, decision accuracy at the end", against_end, "points"))
    because = f"The best density is that of {best}; {_fewer(faster)}"
    answer = _answer(faster, against_dense[0].estimate, None if best == sparsest else against_end)
    return Verdict(answer, because, tuple(findings))


def _fewer(faster: Estimate | None) -> str:
    if faster is None:
        return "no network reached an accuracy that trials are counted to."
    return (
        f"it needs {faster.mean:.2f} times the trials of the dense network to the highest accuracy that either reached."
    )


def _answer(faster: Estimate | None, over_dense: Estimate, over_sparsest: Estimate | None) -> Answer:
    if over_dense.high <= 0 or (faster is not None and faster.low >= 1):
        return "does not hold"
    if faster is None or over_sparsest is None:
        return "cannot tell"
    return "holds" if faster.high < 1 and over_dense.low > 0 and over_sparsest.low > 0 else "cannot tell"


def figure(results: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Trials to each accuracy, and the accuracy at the end, against density."""
    drawing = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = drawing.subplots(1, 2)
    cells = per_cell(results)
    cells["density"] = cells["density"].where(cells["arch"] != "dense", 1.0)
    cells = cells.sort_values("density")
    for percent, colour in zip(THRESHOLDS, PALETTE, strict=False):
        reached = cells[cells[f"reached_{percent}"]]
        if len(reached):
            draw_seeds(left, reached, "density", f"trials_to_{percent}", colour, f"to {percent} %")
    left.set_ylim(bottom=0)
    left.yaxis.set_major_formatter(EngFormatter(sep=""))
    left.set_ylabel("trials of training")
    tidy(left)
    if left.get_legend_handles_labels()[0]:
        left.legend(frameon=False)
    draw_seeds(right, cells, "density", "accuracy", PALETTE[0], "at the end")
    percent_axis(right)
    for axes in (left, right):
        axes.set_xscale("log")
        ticks = sorted(cells["density"].unique())
        axes.set_xticks(ticks, [f"{100 * tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("density of the recurrent connections in % (100: dense)")
    return drawing


C3 = Claim(
    name="C3",
    title="An LM-RNN trains in fewer trials than a dense network, and there is a best density",
    says="With as many units, a network with local connections learns the tasks in fewer trials than a dense one, and "
    "a certain density is best.",
    test="The best density is the one with the highest accuracy at the end. The claim holds if it surely needs fewer "
    "trials than the dense network to the highest of 50, 75 and 90 % that either reached, and ends surely higher than "
    "both the sparsest and the dense. (The density is chosen and judged on the same runs, which favours it a little.)",
    presets=PRESETS,
    score=score,
    figure=figure,
)
