"""C4: locality, not sparsity alone: LM-RNN against other masks of the same density."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from modcog.experiments.claims.claim import Answer, Claim, Verdict
from modcog.experiments.claims.figures import draw_curves, draw_extensions
from modcog.experiments.claims.protocol import FULL, LOCAL, SEEDS, SMALL, network
from modcog.experiments.claims.speed import compare, last_ratio, reach
from modcog.experiments.claims.tables import per_cell
from modcog.experiments.sweeps import Grid

if TYPE_CHECKING:
    import pandas as pd

MASKS = ("lm-rnn", "random", "shuffled")


def _arms(hidden: int) -> tuple[dict[str, object], ...]:
    return tuple(network(mask, hidden, LOCAL) for mask in MASKS)


PRESETS = {
    "small": Grid(settings=SMALL, arms=_arms(64), axes={"seed": [0, 1]}),
    "full": Grid(settings=FULL, arms=_arms(256), axes={"seed": SEEDS}),
}


def score(results: pd.DataFrame, curves: pd.DataFrame) -> Verdict:
    """LM-RNN against the random mask decides; the shuffled one is the control."""
    cells = per_cell(results)
    local, random, shuffled = (cells.loc[cells["arch"] == mask, "arm"].iloc[0] for mask in MASKS)
    findings = [finding for arm in (local, random, shuffled) for finding in reach(cells, arm)]
    against_random, against_shuffled = compare(cells, local, random), compare(cells, local, shuffled)
    gap, faster = against_random[0].estimate, last_ratio(against_random)
    answer: Answer = "cannot tell"
    if gap.low > 0 and faster is not None and faster.high < 1:
        answer = "holds"
    elif gap.high <= 0 or (faster is not None and faster.low >= 1):
        answer = "does not hold"
    because = (
        f"Against random connections of the same density the LM-RNN ends {100 * gap.mean:+.1f} points apart; against "
        f"its own graph with the units permuted, which learns alike by construction, "
        f"{100 * against_shuffled[0].estimate.mean:+.1f}."
    )
    return Verdict(answer, because, (*findings, *against_random, *against_shuffled))


def figure(results: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Learning curves of the three masks, and accuracy by extension."""
    drawing = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = drawing.subplots(1, 2)
    cells = per_cell(results)
    draw_curves(left, cells, curves, by="arch")
    draw_extensions(right, results, MASKS)
    return drawing


C4 = Claim(
    name="C4",
    title="Locality, not sparsity alone",
    says="Among masks of the same density, connections with neighbours on a sheet train better than random ones.",
    test="It holds if the LM-RNN surely ends higher than the network with random connections, and surely gets to the "
    "highest of 50, 75 and 90 % that either reached in fewer trials. The shuffled mask is the same graph with other "
    "places on the sheet; since places do not enter the computation, it must do as well as the LM-RNN.",
    presets=PRESETS,
    score=score,
    figure=figure,
)
