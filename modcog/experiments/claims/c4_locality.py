"""C4: locality, not sparsity alone: the LM-RNN against networks of as many connections."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from modcog.experiments.claims.claim import Claim, Contrast, Part, Runs, Shown
from modcog.experiments.claims.figures import draw_curves, draw_ends

TWINS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "C4a": (("random",), "its random twin",
            "The twin has its self-connections and numbers of inputs, and no neighbours."),
    "C4b": (("reciprocal",), "its reciprocal twin",
            "The twin has its self-connections and numbers of inputs, in both directions, and no neighbours."),
    "C4c": (("small-world", "rewired 0.01"), "its own graph with 1 % rewired", ""),
    "C4d": (("small-world", "rewired 0.1"), "its own graph with 10 % rewired", ""),
    "C4e": (("small-world", "rewired 1.0"), "its own graph with all connections rewired", ""),
    "C4f": (("random", "self_connections none"), "random connections without self-connections",
            "Locality and self-connections differ."),
    "C4g": (("random", "in_degree drawn"), "random connections, numbers of inputs drawn",
            "Locality and the numbers of inputs differ."),
    "C4h": (("random", "self_connections drawn", "in_degree drawn"), "the graph of Erdős and Rényi (confounded)",
            "Besides locality, two things differ: most self-connections are missing, on which the initial weights act, "
            "and numbers of inputs differ. So this part is not about locality alone."),
    "C4i": (("shuffled",), "its own graph with the units permuted (a check)",
            "Places on the sheet do not enter the computation, so that a difference could only be chance."),
}  # fmt: skip
"""Architecture and options of each control, the words for it, and what differs."""


ALIKE = 0.05
"""Largest relative difference of two networks' synapses that count as as many; a drawn number of inputs varies."""


def against(runs: Runs, control: tuple[str, ...]) -> list[Contrast]:
    """Compare the LM-RNN with a control, at the end.

    Raises:
        ModcogError: if one of them is missing, or they have not as many units and synapses.
    """
    local, other = runs.arm("lm-rnn"), runs.arm(*control)
    runs.check_alike(local, [other], "hidden")
    runs.check_alike(local, [other], "synapses", ALIKE)
    return [runs.contrast(local, other, "at_end")]


def on_the_way(runs: Runs, control: tuple[str, ...]) -> list[Shown]:
    """Return the difference on the way, and ratios of trials."""
    pair = (runs.arm("lm-rnn"), runs.arm(*control))
    return [runs.finding(*pair, "area"), *runs.ratios([pair])]


def draw(panels: Sequence[Axes], runs: Runs) -> None:
    """Draw learning curves, and the accuracy at the end, where the names of ten networks have room."""
    draw_curves(panels[0], runs, named=False)
    draw_ends(panels[1], runs.cells, runs.unit)


C4 = Claim(
    name="C4",
    title="Locality, not sparsity alone",
    says="Among networks with as many connections, one with connections between neighbours on a sheet learns better.",
    parts=tuple(
        Part(
            name,
            f"The LM-RNN is better than {words}.",
            f"It ends higher. {differs}".strip(),
            partial(against, control=control),
            beside=partial(on_the_way, control=control),
        )
        for name, (control, words, differs) in TWINS.items()
    ),
    panels=("learning curves (colours: right)", "at the end"),
    draw=draw,
    pair=lambda runs: (runs.arm("lm-rnn"), runs.arm("random")),
    panel_height=5.0,
)
