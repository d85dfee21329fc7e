"""C4: locality, not sparsity alone: LM-RNN against other masks of the same density."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from modcog.experiments.claims.claim import Claim, Verdict, compare, final_accuracy, per_cell
from modcog.experiments.claims.figures import draw_curves, draw_extensions
from modcog.experiments.claims.protocol import ERDOS_RENYI, LOCAL, network, presets

MASKS = ("lm-rnn", "random", "shuffled")


def arm(mask: str, hidden: int) -> dict[str, Any]:
    """Return the network with a mask."""
    return network(mask, hidden, LOCAL) | (ERDOS_RENYI if mask == "random" else {})


def verdict(results: pd.DataFrame, curves: pd.DataFrame) -> Verdict:
    """Compare the LM-RNN with the random mask, which decides, and with the shuffled one, the control."""
    cells = per_cell(results)
    local, random, shuffled = (cells.loc[cells["arch"] == mask, "arm"].iloc[0] for mask in MASKS)
    findings = [final_accuracy(cells, arm) for arm in (local, random, shuffled)]
    against_random, against_shuffled = compare(cells, local, random), compare(cells, local, shuffled)
    because = (
        f"Against random connections of the same density the LM-RNN ends {100 * against_random.gap.mean:+.1f} points "
        "apart; against its own graph with the units permuted, which learns alike by construction, "
        f"{100 * against_shuffled.gap.mean:+.1f}."
    )
    findings += [*against_random.findings, *against_shuffled.findings]
    return Verdict(against_random.answer, because, tuple(findings))


def figure(results: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Draw learning curves of the three masks, and accuracy by extension."""
    drawing = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = drawing.subplots(1, 2)
    draw_curves(left, per_cell(results), curves, by="arch")
    draw_extensions(right, results, MASKS)
    return drawing


C4 = Claim(
    name="C4",
    title="Locality, not sparsity alone",
    says="Among masks of the same density, connections with neighbours on a sheet train better than random ones.",
    test="It holds if the LM-RNN ends significantly higher than the network with random connections, and needs "
    "significantly fewer trials to the highest of 50, 75 and 90 % that either reached. The shuffled mask is the same "
    "graph with other places on the sheet; since places do not enter the computation, it must do as well as the "
    "LM-RNN.",
    presets=presets([arm(mask, 64) for mask in MASKS], [arm(mask, 256) for mask in MASKS]),
    verdict=verdict,
    figure=figure,
)
