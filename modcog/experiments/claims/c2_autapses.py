"""C2: autapses fail on the interval and sequence tasks where an LM-RNN of the same size does not."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from modcog.battery import Battery
from modcog.colours import EXTENSIONS
from modcog.errors import ModcogError
from modcog.evaluation.ceilings import SMALLEST_RANGE, levels
from modcog.evaluation.strategies import STRATEGIES
from modcog.experiments.claims.claim import LESS_IS_BETTER, Claim, Contrast, Finding, Part, Runs, Shown, show
from modcog.experiments.claims.figures import draw_extensions, percent_axis
from modcog.experiments.estimate import Estimate

FAILS = 0.5
"""Share of the way from chance to the ceiling below which a network fails on a task."""

DOES_WELL = 0.75
"""Share above which it does well on a group of tasks."""

EXTENDED = ("interval", "sequence", "interval-sequence")


def gap(runs: Runs, rows: pd.DataFrame, what: str) -> Contrast:
    """Return how far the LM-RNN is above the autapses on some tasks.

    Raises:
        ModcogError: if one of them has no run.
    """
    means = rows.groupby(["arch", "seed"])[runs.column].mean()
    if missing := [arch for arch in ("lm-rnn", "autapse") if arch not in means.index]:
        raise ModcogError(f"the tables have no run of {missing[0]} on {what}")
    sign = -1 if runs.kind in LESS_IS_BETTER else 1
    return Contrast.of(f"LM-RNN against autapses, {what}", sign * (means["lm-rnn"] - means["autapse"]), unit=runs.unit)


def check_extensions(runs: Runs) -> None:
    """Refuse runs that lack an extension.

    Raises:
        ModcogError: naming it.
    """
    if missing := [name for name in EXTENDED if not (runs.results["extension"] == name).any()]:
        raise ModcogError(f"the tables have no {missing[0]} tasks")


def overall(runs: Runs) -> list[Contrast]:
    """Compare the two over all extended tasks."""
    check_extensions(runs)
    return [gap(runs, runs.results[runs.results["extension"] != "none"], "extended tasks")]


def by_extension(runs: Runs) -> list[Contrast]:
    """Compare the two on the tasks of each extension."""
    check_extensions(runs)
    return [gap(runs, runs.results[runs.results["extension"] == name], f"{name} tasks") for name in EXTENDED]


def failures(runs: Runs) -> list[Contrast]:
    """Count, for each extension, the tasks on which autapses fail among those on which the LM-RNN does not.

    Raises:
        ModcogError: if the measure is an error, an extension is missing, or the LM-RNN fails on all of its tasks.
    """
    if runs.kind in LESS_IS_BETTER:
        raise ModcogError("failing is defined by accuracies")
    check_extensions(runs)
    found = []
    for name in EXTENDED:
        learned, failed = learned_and_failed(runs, name)
        if not learned.any(axis=1).all():
            raise ModcogError(f"an LM-RNN fails on all {name} tasks, too")
        of_these = (learned & failed).sum(axis=1) / learned.sum(axis=1)
        what = f"{name} tasks on which autapses fail, of those on which the LM-RNN does not"
        found.append(Contrast.of(what[0].upper() + what[1:], of_these, 0.5, "%"))
    return found


def learned_and_failed(runs: Runs, extension: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return for each seed and task of an extension if the LM-RNN does not fail, and if the autapses do.

    Raises:
        ModcogError: if a network has no runs, or the tables have no shares.
    """
    rows = runs.results[runs.results["extension"] == extension]
    share = rows.pivot_table(index=["arch", "seed"], columns="task", values=f"{runs.kind}_share", sort=False)
    if missing := [arch for arch in ("lm-rnn", "autapse") if arch not in share.index]:
        raise ModcogError(f"the tables have no share of the way from chance to the ceiling of {missing[0]}")
    return share.loc["lm-rnn"] >= FAILS, share.loc["autapse"] < FAILS


def learned(runs: Runs) -> list[Shown]:
    """Return the share of the tasks of each extension that the LM-RNN does not fail on."""
    return [
        Finding(f"{name} tasks on which the LM-RNN does not fail".capitalize().replace("lm-rnn", "LM-RNN"),
                Estimate.of(learned_and_failed(runs, name)[0].mean(axis=1)))
        for name in EXTENDED
    ]  # fmt: skip


def failed_on(runs: Runs) -> list[list[str]]:
    """Return on how many tasks of each family and extension either network fails, means over seeds."""
    rows = [["tasks", "number", "the LM-RNN fails on", "autapses fail on"]]
    for name, of in groups(runs).items():
        fails = (of[f"{runs.kind}_share"] < FAILS).groupby([of["arch"], of["seed"]]).sum().groupby("arch").mean()
        rows.append([name, str(of["task"].nunique()), *(f"{fails[arch]:.1f}" for arch in ("lm-rnn", "autapse"))])
    return rows


def groups(runs: Runs) -> dict[str, pd.DataFrame]:
    """Return the rows of each family and extension, by name."""
    found = runs.results.groupby(["extension", "family"], sort=False)
    return {f"{family} × {'base' if extension == 'none' else extension}": rows for (extension, family), rows in found}


def against_strategies(runs: Runs) -> list[list[str]]:
    """Return the accuracy of both by family and extension, with the levels of players who lack one thing each."""
    battery = Battery(sorted(runs.results["task"].unique()), rules=runs.rules)  # type: ignore[arg-type]
    known = levels(battery)
    rows = [["tasks", "autapses", "LM-RNN", *STRATEGIES, "not clearly above, of players who lack something here"]]
    for name, of in groups(runs).items():
        means = of.groupby(["arch", "seed"])[runs.column].mean()
        own, local = (Estimate.of(means[arch]) for arch in ("autapse", "lm-rnn"))
        values = {player: _mean(known[task].values[player].get(runs.kind) for task in of["task"].unique())
                  for player in STRATEGIES}  # fmt: skip
        lacking = [player for player in STRATEGIES[:-1] if values["ideal"] - values[player] > SMALLEST_RANGE]
        not_above = ", ".join(player for player in lacking if own.low <= values[player])
        ranges = (show(one, "%") for one in (own, local))
        rows.append([name, *ranges, *(f"{100 * value:.1f}" for value in values.values()), not_above or "none of them"])
    return rows


def _mean(values: object) -> float:
    return float(pd.Series(list(values), dtype=float).mean())  # type: ignore[call-overload]


def done_well(runs: Runs) -> list[Shown]:
    """Name the groups of extended tasks that the autapses do well on."""
    found = []
    for name, rows in groups(runs).items():
        own = rows[(rows["arch"] == "autapse") & (rows["extension"] != "none")]
        share = Estimate.of(own.groupby("seed")[f"{runs.kind}_share"].mean())
        if share.mean >= DOES_WELL:
            score = Estimate.of(own.groupby("seed")[runs.column].mean())
            found.append(
                f"{name}: {100 * score.mean:.1f} %, {100 * share.mean:.0f} % of the way from chance to the ceiling"
            )
    none = f"There is no group of extended tasks on which autapses do well (above {100 * DOES_WELL:g} % of the way)."
    return [*(f"Autapses do well on {one}." for one in found), *([] if found else [none]), *ahead(runs)]


def ahead(runs: Runs) -> list[str]:
    """Name the groups of tasks on which the autapses end higher than the LM-RNN, by an interval that excludes 0."""
    found = []
    for name, rows in groups(runs).items():
        lead = gap(runs, rows, name).estimate
        if lead.high < 0:
            turned = Estimate(-lead.mean, -lead.high, -lead.low, lead.n)
            also = f"one of {len(groups(runs))} groups, not corrected for their number"
            found.append(f"Autapses end higher than the LM-RNN on {name}, by {show(turned, runs.unit)} ({also}).")
    return found


def draw(panels: Sequence[Axes], runs: Runs) -> None:
    """Draw LM-RNN against autapses, task by task and by extension."""
    left, right = panels
    means = runs.results.groupby(["arch", "task", "extension"], sort=False)[runs.column].mean()
    archs = [arch for arch in ("lm-rnn", "autapse") if arch in means.index]
    for extension, colour in EXTENSIONS.items() if len(archs) == 2 else ():
        if (runs.results["extension"] == extension).any():
            x, y = (means[arch].xs(extension, level="extension") for arch in ("autapse", "lm-rnn"))
            left.scatter(x, y[x.index], color=colour, s=20, label=extension)
    left.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    left.set_xlim(0, 1.02)
    left.xaxis.set_major_formatter(PercentFormatter(1))
    left.set_xlabel("accuracy of the autapses")
    percent_axis(left, "accuracy of the LM-RNN")
    if len(archs) == 2:
        left.legend(title="extension", loc="lower right")
    draw_extensions(right, runs.results, archs, runs.kind)


C2 = Claim(
    name="C2",
    title="Autapses fail where an LM-RNN of the same size does not",
    says="On interval and sequence tasks a pool of autapses fails, and an LM-RNN with as many units does not.",
    parts=(
        Part("C2a", "An LM-RNN is better than autapses over the extended tasks.",
             "It ends higher, mean over the extended tasks.",
             overall, beside=done_well, table=against_strategies),
        Part("C2b", "Autapses fail where an LM-RNN does not.",
             "A network fails on a task if it is nearer to chance than to the ceiling. Autapses fail on more than half "
             "of the tasks of each extension on which the LM-RNN does not.",
             failures, planned=3, beside=learned, table=failed_on),
        Part("C2c", "An LM-RNN is better on each kind of extension.",
             "It ends higher on interval, on sequence, and on interval-sequence tasks.", by_extension,
             planned=3),
    ),
    panels=("accuracy at the end, task by task", "by extension"),
    draw=draw,
    pair=lambda runs: (runs.arm("lm-rnn"), runs.arm("autapse")),
)  # fmt: skip
