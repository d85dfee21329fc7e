"""Effects of the published code's errors: the same networks under both sets of rules, by the errors of each task."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from modcog.colours import PALETTE
from modcog.experiments.claims.claim import Runs, show
from modcog.experiments.claims.figures import light_frame
from modcog.experiments.estimate import Estimate
from modcog.tasks.names import parse


def errors_of(task: str) -> tuple[str, ...]:
    """Return the numbers of the published rules' errors that change the trials of a task.

    P1 changes all tasks, P11 concerns stepping alone, and P12 is not kept.
    """
    spec = parse(task)
    go, decision, match = (spec.family == family for family in ("go", "decision", "match"))
    concerned = {
        "P1": True,
        "P2": spec.base in ("go", "anti"),
        "P3": go and spec.interval,
        "P4": decision and spec.interval,
        "P5": match and not spec.interval,
        "P6": match and spec.interval,
        "P7": spec.base in ("dmc", "dnmc"),
        "P8": decision,
        "P9": spec.base in ("rtgo", "rtanti") and spec.sequence,
        "P10": spec.base in ("multidm", "multidlydm"),
    }
    return tuple(error for error, so in concerned.items() if so)


def group_of(task: str) -> str:
    """Return the group of a task: its errors beside P1, which all have."""
    return " + ".join(errors_of(task)[1:]) or "P1 alone"


def compare_rules(published: Runs, corrected: Runs, pair: tuple[str, str]) -> pd.DataFrame:
    """Compare two networks under both sets of rules, group by group.

    Args:
        published: runs under the published rules.
        corrected: runs of the same networks, recipe and seeds under the corrected rules.
        pair: the networks.

    Returns:
        A row for each group of tasks with the same errors, and one for all tasks: ``tasks``, their number; the mean
        accuracy of each network under each set of rules; the lead of the first over the second under each, with its
        interval over seeds; and ``change``, the lead under published rules less that under corrected ones, paired by
        seed.
    """
    sides = {runs.rules: runs.results[runs.results["arm"].isin(pair)] for runs in (published, corrected)}
    common = set.intersection(*(set(side["task"]) for side in sides.values()))
    groups = {"all": sorted(common)}
    for task in sorted(common, key=lambda task: [int(error[1:]) for error in errors_of(task)]):
        groups.setdefault(group_of(task), []).append(task)
    rows = []
    for name, tasks in groups.items():
        row: dict[str, object] = {"recipe": published.recipe, "errors": name, "tasks": len(tasks)}
        leads = {}
        for rules, side in sides.items():
            means = side[side["task"].isin(tasks)].groupby(["arm", "seed"])[published.column].mean()
            leads[rules] = means[pair[0]] - means[pair[1]]
            row |= {f"{arm}, {rules}": means[arm].mean() for arm in pair}
            row |= _columns(f"lead_{rules}", leads[rules])
        rows.append(row | _columns("change", leads["published"] - leads["corrected"]))
    return pd.DataFrame(rows)


def _columns(name: str, values: pd.Series) -> dict[str, float]:
    found = Estimate.of(values)
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high, f"{name}_seeds": found.n}


def as_rows(table: pd.DataFrame) -> list[list[str]]:
    """Return the table as rows of text, the head first."""
    rows = [["errors", "tasks", "lead, published", "lead, corrected", "change"]]
    for row in table.to_dict("records"):
        shown = (
            show(Estimate(*(row[f"{name}{end}"] for end in ("", "_low", "_high", "_seeds"))), "points")
            for name in ("lead_published", "lead_corrected", "change")
        )
        rows.append([str(row["errors"]), str(row["tasks"]), *shown])
    return rows


def conclusion(table: pd.DataFrame) -> str:
    """Return in a sentence the groups in which one network leads under one set of rules and the other under the other.

    Only leads whose interval excludes 0 count; the groups are not corrected for their number.
    """

    def sign(name: str) -> pd.Series:
        return np.sign(table[name]).where(table[f"{name}_low"] * table[f"{name}_high"] > 0, 0)

    turned = table.loc[sign("lead_published") * sign("lead_corrected") < 0, "errors"]
    if turned.empty:
        return "In no group does the lead have opposite signs under the two sets of rules (both intervals excluding 0)."
    return (
        f"The lead has opposite signs in: {', '.join(turned)} (both intervals excluding 0; not corrected for "
        f"{len(table) - 1} groups)."
    )


def other_rates(published: Runs, corrected: Runs, pair: tuple[str, str]) -> str:
    """Return in a sentence which of two networks had another learning rate under each set of rules; empty if none."""
    found = []
    for arm in pair:
        rates = [runs.value(arm, "learning_rate") for runs in (published, corrected)]
        if rates[0] != rates[1]:
            found.append(f"{arm} {rates[0]:g} and {rates[1]:g}")
    return f" Rules and learning rates differ together: {', '.join(found)}, published and corrected." if found else ""


def draw_rules(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the lead under both sets of rules, group by group, with its intervals."""
    for k, (rules, colour) in enumerate(zip(("published", "corrected"), PALETTE, strict=False)):
        place = np.arange(len(table))[::-1] + 0.15 - 0.3 * k
        lead = table[f"lead_{rules}"]
        ends = [lead - table[f"lead_{rules}_low"], table[f"lead_{rules}_high"] - lead]
        axes.errorbar(lead, place, xerr=np.where(np.isfinite(ends), ends, 0), fmt="o", color=colour, label=rules)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(np.arange(len(table))[::-1], [f"{row.errors} ({row.tasks} tasks)" for row in table.itertuples()])
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}".replace("-", "−"))
    axes.set_xlabel("lead at the end, percentage points; 95 % over seeds")
    axes.legend(frameon=False, title="rules")
    light_frame(axes)
