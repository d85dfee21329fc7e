"""C3: an LM-RNN learns faster than a dense network of as many units, and there is a best density."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from modcog.colours import PALETTE
from modcog.errors import ModcogError
from modcog.experiments.claims.claim import OUTCOMES, Claim, Contrast, Part, Runs, ratio_text, show
from modcog.experiments.claims.figures import draw_seeds, draw_survival, log_axis, score_axis
from modcog.experiments.estimate import Estimate
from modcog.experiments.outcomes import LEVELS, compare

FAR = 75
"""Share of the ceiling, in percent, to which a network that learns faster needs fewer trials."""

NAMED, NEAR = 0.04, 1.5
"""Density that the paper names, and the largest factor between it and that of the network that stands for it."""


def dense(runs: Runs) -> str:
    """Return the dense network.

    Raises:
        ModcogError: if there is none, or it has not as many units as the others.
    """
    found = runs.arm("dense")
    runs.check_alike(found, runs.arms("lm-rnn"), "hidden")
    return found


def faster(runs: Runs) -> list[Contrast]:
    """Compare the LM-RNN that learns fastest with the dense network: on the way, and in its trials to an accuracy."""
    networks = runs.arms("lm-rnn"), dense(runs), "area"
    return [runs.picked(*networks), runs.picked_ratio(*networks, FAR)]


def interior(runs: Runs) -> list[Contrast]:
    """Compare the best density between the ends with the sparsest network and with the dense one."""
    sparsest, *between = runs.arms("lm-rnn")
    return [runs.picked(between, other, "at_end") for other in (sparsest, dense(runs))]


def named(runs: Runs) -> str:
    """Return the LM-RNN whose density is nearest to the one that the paper names.

    Raises:
        ModcogError: if none is near.
    """
    arm = min(runs.arms("lm-rnn"), key=lambda arm: abs(runs.value(arm, "density") - NAMED))
    if not 1 / NEAR <= runs.value(arm, "density") / NAMED <= NEAR:
        raise ModcogError(f"the tables have no LM-RNN of about {100 * NAMED:g} %")
    return arm


def at_named(runs: Runs) -> list[Contrast]:
    """Compare it with the dense network, on the way and at the end."""
    return [runs.contrast(named(runs), dense(runs), outcome) for outcome in ("area", "at_end")]


def networks(runs: Runs) -> list[list[str]]:
    """Return every network's accuracy on the way and at the end, and its trials relative to the dense network."""
    levels = [f"trials to {percent} % of the ceiling, relative to dense (runs that got there)" for percent in LEVELS]
    rows = [["network", *OUTCOMES.values(), *levels]]
    for arm in [*runs.arms("lm-rnn"), other := dense(runs)]:
        scores = (show(Estimate.of(runs.of(arm, outcome)), "%") for outcome in OUTCOMES)
        compared = compare(runs.cells, arm, other)
        trials = []
        for percent, (own, _) in compared.reached.items():
            text = "–" if arm == other or percent not in compared.trials else ratio_text(compared, percent)
            trials.append(f"{text} ({own} of {compared.at_end.n})")
        rows.append([arm, *scores, *trials])
    return rows


def draw(panels: Sequence[Axes], runs: Runs) -> None:
    """Draw the area and the end against density, and the share of runs that have not reached 75 % of the ceiling."""
    left, middle, right = panels
    cells = runs.cells.sort_values("nominal")
    for axes, outcome in ((left, "area"), (middle, "at_end")):
        draw_seeds(axes, cells, "nominal", outcome, PALETTE[0], outcome)
        score_axis(axes, runs.unit)
        log_axis(axes, cells["nominal"], "density (%)", factor=100)
    draw_survival(right, runs.cells, 75)


C3 = Claim(
    name="C3",
    title="An LM-RNN learns faster than a dense network, and there is a best density",
    says="With as many units, a network with local connections learns in fewer trials than a dense one, a certain "
    "density is best, and sparsity as low as 4 % serves.",
    parts=(
        Part("C3a", "An LM-RNN learns faster than a dense network.",
             "The density whose accuracy averaged over the logarithm of updates is highest on half of the seeds is "
             "judged on the other half, both ways: its average is higher, and it takes fewer trials to "
             f"{FAR} % of the ceiling. (More than half of the average's weight lies on the first 1,000 updates; alone "
             "it would speak of early learning.)",
             faster, planned=2, table=networks),
        Part("C3b", "A density between the sparsest and the dense is best.",
             "The density between them that ends highest on half of the seeds ends higher than both the sparsest and "
             "the dense on the other half, both ways.",
             interior, planned=2),
        Part("C3c", "At 4 % an LM-RNN is better than a dense network.",
             "The network whose density is nearest to 4 % is higher on the way (mean over log updates) and at the end.",
             at_named, planned=2),
    ),
    panels=("mean over log updates", "at the end", "not yet at 75 % of the ceiling"),
    draw=draw,
    pair=lambda runs: (named(runs), dense(runs)),
)  # fmt: skip
