"""C5: as many synapses instead of as many units."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from modcog.experiments.claims.claim import Claim, Contrast, Part, Runs, Shown
from modcog.experiments.claims.figures import draw_curves, draw_survival


def pairs(runs: Runs) -> list[tuple[str, str]]:
    """Return every LM-RNN with the dense network, which has as many synapses."""
    return [(arm, runs.arm("dense")) for arm in runs.arms("lm-rnn")]


def against_dense(runs: Runs, outcome: str) -> list[Contrast]:
    """Compare every LM-RNN with the dense network."""
    return [runs.contrast(one, other, outcome) for one, other in pairs(runs)]


def ends(runs: Runs) -> list[Shown]:
    """Return the accuracy of every network at the end."""
    return [*runs.at_end([*runs.arms("lm-rnn"), runs.arm("dense")])]


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
             lambda runs: against_dense(runs, "at_end"), beside=ends),
        Part("C5b", "An LM-RNN with as many synapses learns faster.",
             "Every LM-RNN has the higher accuracy averaged over log updates; one that is lower is enough to fail.",
             lambda runs: against_dense(runs, "area"), beside=lambda runs: runs.ratios(pairs(runs))),
    ),
    panels=("learning curves", "not yet at 75 % of the ceiling"),
    draw=draw,
    pair=lambda runs: (runs.arms("lm-rnn")[-1], runs.arm("dense")),
)  # fmt: skip
