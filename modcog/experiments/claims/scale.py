"""Scale: the density and the number of inputs per unit that are best, as networks grow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from modcog.colours import PALETTE
from modcog.errors import ModcogError
from modcog.experiments.claims.claim import Claim, Contrast, Part, Runs
from modcog.experiments.claims.figures import light_frame, log_axis
from modcog.experiments.estimate import Estimate
from modcog.seeds import Purpose, Seed

DRAWS = 2_000
"""Bootstrap samples of the seeds."""


def best_densities(runs: Runs) -> pd.DataFrame:
    """Return the best density of each number of units, in bootstrap samples of the seeds.

    Returns:
        One column for each number of units, one row for each sample; the first row is that of the runs themselves. A
        density is the best if its mean accuracy at the end is the highest, of those that all sizes have.
    """
    rng = Seed.of(0, Purpose.BOOTSTRAP).rng()
    found = {}
    known = runs.cells[runs.cells["arch"].isin(("lm-rnn", "dense"))]
    common = known.groupby("nominal")["hidden"].nunique() == known["hidden"].nunique()
    for units, cells in known[known["nominal"].map(common)].groupby("hidden"):
        table = cells.pivot(index="seed", columns="nominal", values="at_end").dropna(axis=1)
        n, arms = table.shape
        if arms > 1:
            seeds = np.vstack([np.arange(n), rng.integers(n, size=(DRAWS, n))])
            means = table.to_numpy()[seeds].mean(axis=1)
            found[units] = table.columns.to_numpy(float)[means.argmax(axis=1)]
    return pd.DataFrame(found)


def falls(runs: Runs) -> list[Contrast]:
    """Return how fast the best density falls: minus the slope of its logarithm over that of the number of units.

    Raises:
        ModcogError: if there are fewer than two sizes with several densities, or fewer than three seeds.
    """
    best = best_densities(runs)
    if best.shape[1] < 2:
        raise ModcogError("the tables have no two sizes with several densities")
    if runs.cells["seed"].nunique() < 3:
        raise ModcogError("a bootstrap needs 3 seeds at least")
    slopes = -np.polyfit(np.log(best.columns.to_numpy(float)), np.log(best.to_numpy()).T, 1)[0]
    slopes = slopes.round(9)  # 0 where the best density is the same at all sizes
    drawn = slopes[1:]
    low, high = np.quantile(drawn, [0.025, 0.975])
    p = min(1.0, 2 * max(1 / DRAWS, min(np.mean(drawn <= 0), np.mean(drawn >= 0))))
    estimate = Estimate(float(slopes[0]), float(low), float(high), int(runs.cells["seed"].nunique()), float(p))
    return [Contrast("fall of the best density for each factor of units, as an exponent", estimate, p, unit="")]


def table(runs: Runs) -> list[list[str]]:
    """Return the best density and the best number of inputs of each size, with 95 % intervals of the bootstrap."""
    rows = [["units", "best density", "inputs per unit", "seeds"]]
    for units, best in best_densities(runs).items():
        mean = best.iloc[0]
        low, high = best.iloc[1:].quantile([0.025, 0.975], interpolation="nearest")
        inputs = f"{mean * units:.0f} [{low * units:.0f}, {high * units:.0f}]"
        seeds = runs.cells.loc[runs.cells["hidden"] == units, "seed"].nunique()
        rows.append([str(units), f"{100 * mean:.3g} % [{100 * low:.3g}, {100 * high:.3g}]", inputs, str(seeds)])
    return rows


def draw(panels: Sequence[Axes], runs: Runs) -> None:
    """Draw the best density and the best number of inputs against the number of units."""
    best = best_densities(runs)
    units = best.columns.to_numpy(float)
    for axes, factor, label in ((panels[0], 100.0, "best density in %"), (panels[1], units, "best inputs per unit")):
        middle, low, high = best.iloc[0], *(best[1:].quantile(q) for q in (0.025, 0.975))
        axes.fill_between(units, low * factor, high * factor, color=PALETTE[0], alpha=0.2, linewidth=0)
        axes.plot(units, middle * factor, color=PALETTE[0], marker="o")
        axes.set_yscale("log")
        axes.set_ylabel(label)
        light_frame(axes)
        log_axis(axes, pd.Series(units), "units")


SCALE = Claim(
    name="scale",
    title="The best density as networks grow",
    says="The larger the network, the sparser the best one: it is the number of inputs of a unit that has an optimum.",
    parts=(
        Part("scale", "The best density falls as the network grows.",
             "The slope of the logarithm of the best density over that of the number of units is below 0, by a "
             "bootstrap over seeds (too narrow with few). At an exponent of 1 the best number of inputs is the "
             "same at all sizes.",
             falls, table=table),
    ),
    panels=("best density", "best number of inputs"),
    draw=draw,
)  # fmt: skip
