"""C5: as many synapses instead of as many units."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from modcog.errors import ModcogError
from modcog.experiments.claims.claim import Claim, Contrast, Part, Runs, Shown
from modcog.experiments.claims.figures import draw_curves, draw_survival

ALIKE = 0.12
"""Largest relative difference of two networks' synapses that count as as many; those of small sheets come in steps."""

SIZES = 3
"""Number of LM-RNNs that are compared with the dense network."""


def pairs(runs: Runs) -> list[tuple[str, str]]:
    """Return every LM-RNN with the dense network, which has as many synapses.

    Raises:
        ModcogError: if it has not, or there are fewer LM-RNNs than planned.
    """
    dense, networks = runs.arm("dense"), runs.arms("lm-rnn")
    if len(networks) < SIZES:
        raise ModcogError(f"the tables have {len(networks)} LM-RNNs, must be {SIZES}")
    runs.check_alike(dense, networks, "synapses", ALIKE)
    return [(arm, dense) for arm in networks]


def against_dense(runs: Runs, outcome: str) -> list[Contrast]:
    """Compare every LM-RNN with the dense network."""
    return [runs.contrast(one, other, outcome) for one, other in pairs(runs)]


def ends(runs: Runs) -> list[Shown]:
    """Return the accuracy of every network at the end, its synapses and its parameters."""
    networks = [*runs.arms("lm-rnn"), runs.arm("dense")]
    synapses, parameters = (
        ", ".join(f"{arm} {runs.value(arm, kind):,.0f}" for arm in networks) for kind in ("synapses", "parameters")
    )
    return [*runs.at_end(networks), f"Synapses: {synapses}. Parameters, which are not matched: {parameters}."]


def draw(panels: Sequence[Axes], runs: Runs) -> None:
    """Draw learning curves, and the share of runs that have not reached 75 % of the ceiling."""
    draw_curves(panels[0], runs)
    draw_survival(panels[1], runs.cells, 75)


C5 = Claim(
    name="C5",
    title="As many synapses instead of as many units",
    says="An LM-RNN is better than a dense network with as many synapses, which has fewer units.",
    parts=(
        Part("C5a", "An LM-RNN with as many synapses as a dense network is more accurate.",
             "Every LM-RNN ends higher than the dense network; one that ends lower is enough to fail.",
             lambda runs: against_dense(runs, "at_end"), planned=SIZES, beside=ends),
        Part("C5b", "An LM-RNN with as many synapses learns faster.",
             "Every LM-RNN has the higher accuracy averaged over log updates; one that is lower is enough to fail.",
             lambda runs: against_dense(runs, "area"), planned=SIZES, beside=lambda runs: runs.ratios(pairs(runs))),
    ),
    panels=("learning curves", "not yet at 75 % of the ceiling"),
    draw=draw,
    pair=lambda runs: (runs.arms("lm-rnn")[-1], runs.arm("dense")),
)  # fmt: skip
