"""The parts of a claim, the runs that they are judged by, and the rulings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel

from modcog.errors import ModcogError
from modcog.evaluation.measures import MEASURES
from modcog.experiments import outcomes
from modcog.experiments.estimate import Estimate
from modcog.tables import Brief

Answer = Literal["holds", "does not hold", "cannot tell", "not judged"]
"""``"not judged"``: the tables have no runs for it, or too few."""

SIGNIFICANT = 0.05
"""Largest p value of a significant comparison, after Holm's correction for all that decide about a claim."""

LESS_IS_BETTER = ("angular_error", "unanswered")
"""Measures whose sign is turned, so that more is better in all."""

MARGIN = 0.02
"""Difference of accuracies up to which one network does as well as another."""

RATES_MATTER = 0.10
"""Difference of accuracies that must be exceeded where whole runs did not choose the learning rate of each network. A
convention: in C3 such a choice moved leads of one network over another at the end by up to 0.08."""

UNITS = {"%": (100, 1, " %"), "points": (100, 1, " points"), "°": (1, 1, "°"), "ratio": (1, 2, " ×"), "": (1, 2, "")}
"""Factor, decimals and text of each unit."""


@dataclass(frozen=True)
class Finding:
    """An estimate in words; the unit is one of ``UNITS``: ``"%"`` of a share, ``"points"`` of a difference of two."""

    what: str
    estimate: Estimate
    unit: str = "%"

    def __str__(self) -> str:
        seeds = f"{self.estimate.n} seed{'s' if self.estimate.n != 1 else ''}"
        return f"{self.what}: {show(self.estimate, self.unit)} ({seeds})"


def show(estimate: Estimate, unit: str) -> str:
    """Return a mean with its interval, with the minus sign of the page's text; a dash if there is none."""
    if np.isnan(estimate.mean):
        return "–"
    factor, decimals, text = UNITS[unit]
    bounds = (0, 1) if unit == "%" else (None, None)  # Student's interval has none, a share has two
    rounded = np.round(factor * np.clip(estimate[:3], *bounds), decimals) + 0.0  # no −0.0
    mean, low, high = (f"{value:.{decimals}f}".replace("-", "−") for value in rounded)
    return f"{mean}{text} [{low}, {high}]"


@dataclass(frozen=True)
class Contrast:
    """A comparison that decides: for the claim if the mean is significantly above ``null``, against it if below.

    A ratio of trials speaks for the claim if it is below ``null``.

    Attributes:
        what: it compares.
        estimate: of the difference or the ratio, with its interval.
        p: of a two-sided test against ``null``.
        null: the difference that neither speaks for the claim nor against it.
        unit: as in ``Finding``.
    """

    what: str
    estimate: Estimate
    p: float
    null: float = 0.0
    unit: str = "points"

    @classmethod
    def of(cls, what: str, values: pd.Series, null: float = 0.0, unit: str = "points") -> Contrast:
        """Return the contrast of a value for each seed; of values that are all alike, the p value of the sign test."""
        found, p = Estimate.of(values), Estimate.of(values - null).p
        if np.isnan(p) and found.n > 1 and found.mean != null:
            p = 2.0 ** (1 - found.n)
        return cls(what, found, p, null, unit)

    def p_beyond(self, margin: float, alone: bool = False) -> float:
        """Return the p value against a difference of ``margin`` from ``null`` in the direction that was found.

        1 if it is within the margin, or no difference of accuracies. With ``alone``, only what speaks against the claim
        must be beyond the margin.
        """
        gap = self.estimate.mean - self.null
        if alone and gap > 0:
            return self.p
        if self.unit not in ("%", "points") or abs(gap) <= margin:
            return 1.0
        found = self.estimate.p_against(self.null + float(np.copysign(margin, gap)))
        return self.p if np.isnan(found) else found  # that of the sign test, of values that are all alike

    def speaks(self, adjusted: float) -> int:
        """Return 1 if it speaks for the claim, −1 if against it, 0 if neither, by its p value after correction."""
        better = -1 if self.unit == "ratio" else 1
        return better * int(np.sign(self.estimate.mean - self.null)) if adjusted < SIGNIFICANT else 0


@dataclass(frozen=True)
class Runs:
    """Runs of a claim under one set of rules and one recipe, seen by one measure.

    Attributes:
        rules: set of rules.
        recipe: name of the recipe.
        kind: name of the measure (``MEASURES``).
        results: a row for each run and task.
        curves: a row for each evaluation of each run.
        picks: networks that were picked by the measure that decides, so that others judge the same ones.
        decides: if it is that measure, by which each comparison must be possible.
    """

    rules: str
    recipe: str
    kind: str
    results: pd.DataFrame
    curves: pd.DataFrame
    picks: dict[tuple[Any, ...], pd.Series] = field(default_factory=dict)
    decides: bool = True

    @property
    def column(self) -> str:
        """Column of the measure in both tables."""
        return MEASURES[self.kind].column

    @property
    def unit(self) -> str:
        """Unit of a difference."""
        return "points" if MEASURES[self.kind].unit == "%" else "°"

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Outcomes of each run, sorted by architecture, units and density (``outcomes.outcomes``)."""
        cells = outcomes.outcomes(self.results, self.curves, self.kind)
        if self.kind in LESS_IS_BETTER:
            cells[["at_end", "area"]] *= -1
        cells["density"] = cells["density"].fillna(cells["synapses"] / cells["hidden"].astype(float) ** 2)
        # the density asked for, since those reached differ by size: sheets have steps
        nominal = cells["arm"].str.extract(r"([\d.]+) %", expand=False).astype(float) / 100
        cells["nominal"] = nominal.fillna(cells["density"].astype(float))
        order = cells["arch"].map({name: k for k, name in enumerate(cells["arch"].unique())})
        return cells.assign(order=order).sort_values(["order", "hidden", "density", "arm", "seed"])

    @cached_property
    def _by_arm(self) -> dict[str, pd.DataFrame]:
        return {str(arm): rows.set_index("seed") for arm, rows in self.cells.groupby("arm", sort=False)}

    def arms(self, arch: str) -> list[str]:
        """Return the networks of an architecture, by number of units and density.

        Raises:
            ModcogError: if there is none.
        """
        found = list(self.cells.loc[self.cells["arch"] == arch, "arm"].unique())
        if not found:
            raise ModcogError(f"the tables have no run of {arch}")
        return found

    def arm(self, arch: str, *options: str) -> str:
        """Return the network of an architecture with some options of its mask.

        Raises:
            ModcogError: if there is none, or more than one.
        """
        found = [name for name in self.arms(arch) if name.split(", ")[1:] == list(options)]
        if not found:
            others = "; ".join(self.arms(arch))
            raise ModcogError(f"the tables have no run of {', '.join((arch, *options))}, only of {others}")
        if len(found) > 1:
            raise ModcogError(f"the tables have {len(found)} networks that could be meant: {', '.join(found)}")
        return found[0]

    def of(self, arm: str, outcome: str) -> pd.Series:
        """Return an outcome of a network, with the seed as index."""
        return self._by_arm[arm][outcome]

    def value(self, arm: str, column: str) -> float:
        """Return the value that all runs of a network share in a column."""
        return float(self.of(arm, column).iloc[0])

    def check_alike(self, one: str, others: Iterable[str], column: str, tolerance: float = 0) -> None:
        """Refuse to compare networks that differ in their size.

        Args:
            one: network.
            others: that are compared with it.
            column: of their size, ``"hidden"``, ``"synapses"`` or ``"parameters"``.
            tolerance: largest relative difference.

        Raises:
            ModcogError: if one of the others differs by more.
        """
        wanted = self.value(one, column)
        for arm in others:
            if abs((size := self.value(arm, column)) / wanted - 1) > tolerance:
                what = "units" if column == "hidden" else column
                raise ModcogError(f"the {what} of {arm} are {size:,.0f}, of {one} {wanted:,.0f}")

    def contrast(self, one: str, other: str, outcome: str = "at_end", null: float = 0.0) -> Contrast:
        """Return how far a network is above another, paired by seed; ``null`` is as in ``Contrast``.

        Raises:
            ModcogError: if one of them has no runs, or a run has no partner of the same seed.
        """
        ones, others = outcomes.paired(self.cells, one, other)
        gaps = ones[outcome] - others[outcome]
        return Contrast.of(f"{one} against {other}, {OUTCOMES[outcome]}", gaps, null, self.unit)

    def finding(self, one: str, other: str, outcome: str = "at_end") -> Finding:
        """Return the same as a finding, which decides nothing."""
        found = self.contrast(one, other, outcome)
        return Finding(found.what, found.estimate, found.unit)

    def check_complete(self) -> None:
        """Refuse runs that cannot be compared.

        Raises:
            ModcogError: if runs differ in the tasks that they have scores on or in their trials of training, or
                networks in their seeds.
        """
        scored = self.results["task"].where(self.results[self.column].notna())
        tasks = scored.groupby(self.results["cell"]).agg(lambda of_run: frozenset(of_run.dropna()))
        if tasks.nunique() > 1:
            least = tasks.map(len).idxmin()
            raise ModcogError(f"{least} has {len(tasks[least])} tasks, other runs have others")
        if self.cells["trials"].nunique() > 1:
            low, high = self.cells["trials"].agg(["min", "max"])
            raise ModcogError(f"some runs were trained with {low:,.0f} trials, others with {high:,.0f}")
        seeds = self.cells.groupby("arm")["seed"].agg(frozenset)
        if seeds.nunique() > 1:
            least = seeds.map(len).idxmin()
            raise ModcogError(f"{least} has {len(seeds[least])} seeds, other networks have others")

    def picked(self, candidates: Sequence[str], other: str, outcome: str) -> Contrast:
        """Return how far the best candidate is above another network, picked and judged on different seeds.

        Raises:
            ModcogError: if there are fewer than four seeds, or networks differ in theirs.
        """
        picks, ones, others = self._picked(candidates, other, outcome)
        gaps = ones[outcome] - others[outcome]
        what = f"Picked {' and '.join(dict.fromkeys(picks))} against {other}, {OUTCOMES[outcome]}"
        return Contrast.of(what, gaps, unit=self.unit)

    def picked_ratio(self, candidates: Sequence[str], other: str, outcome: str, percent: int) -> Contrast:
        """Return the ratio of trials to a share of the ceiling, for the networks that are picked by an outcome.

        By a measure that does not decide it is NaN where it means nothing: of errors, or if too few runs got there.

        Raises:
            ModcogError: as ``picked`` does; or if the measure decides and too few runs reached it.
        """
        picks, ones, others = self._picked(candidates, other, outcome)
        column = f"trials_to_{percent}"
        if self.kind not in LESS_IS_BETTER and outcomes.enough(ones, others, column):
            found = outcomes.restricted_ratio(ones, others, column)
        elif self.decides:
            there = ones[column].notna() | others[column].notna()
            raise ModcogError(
                f"{there.sum()} of {len(there)} pairs of runs reached {percent} % of the ceiling, too few"
            )
        else:
            found = Estimate.of([])
        what = f"Picked {' and '.join(dict.fromkeys(picks))} against {other}, trials to {percent} % of the ceiling"
        return Contrast(what, found, found.p, 1.0, "ratio")

    def _picked(
        self, candidates: Sequence[str], other: str, outcome: str
    ) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame]:
        """Return the candidate that is judged in each seed, its runs and those of the other network, by seed."""
        if not candidates:
            raise ModcogError("the tables have no density between the sparsest and the dense network")
        key = (*candidates, other, outcome)
        if key not in self.picks:
            self.picks[key] = outcomes.pick_by_half(self.cells, candidates, other, outcome)
        picks = self.picks[key]
        ones = self.cells.set_index(["arm", "seed"]).loc[list(zip(picks, picks.index, strict=True))].droplevel("arm")
        return picks, ones, self._by_arm[other].loc[picks.index]

    def at_end(self, arms: Iterable[str]) -> list[Finding]:
        """Return the scores of networks after training."""
        unit = "%" if self.unit == "points" else self.unit
        label = MEASURES[self.kind].label
        return [Finding(f"{arm}, {label} at the end", Estimate.of(self.of(arm, "at_end")), unit) for arm in arms]

    def ratios(self, pairs: Iterable[tuple[str, str]]) -> list[str]:
        """Return ratios of trials to each level, in words."""
        found = []
        for one, other in pairs:
            compared = outcomes.compare(self.cells, one, other)
            for percent, reached in compared.reached.items():
                runs = compared.at_end.n
                who = f"{one} against {other}, trials to {percent} % of the ceiling"
                by = f"reached by {reached[0]} and {reached[1]} of {runs} runs"
                found.append(f"{who} ({by}): {ratio_text(compared, percent)}")
        return found

    def seen_by(self, kind: str) -> Runs:
        """Return the same runs seen by another measure."""
        return Runs(self.rules, self.recipe, kind, self.results, self.curves, self.picks, decides=False)

    def other_kinds(self) -> list[str]:
        """Return the other measures that the tables have; of the pooled one, they have no mean over all steps."""
        return [
            kind
            for kind, measure in MEASURES.items()
            if kind not in (self.kind, "pooled")
            and measure.column in self.curves
            and self.results[measure.column].notna().any()
            and self.curves[measure.column].notna().any()
        ]


def ratio_text(compared: outcomes.Comparison, percent: int) -> str:
    """Return a ratio of trials to a percentage of the ceiling; a bound if runs of one network alone did not get there.

    A run that did not get there counts with all its trials, so that the interval is no longer one for the ratio.
    """
    ratio, (one, other), n = compared.trials.get(percent), compared.reached[percent], compared.at_end.n
    if ratio is None:
        return "too few for a ratio"
    if one == other == n:
        return show(ratio, "ratio")
    if one < n and other < n:
        return "runs of both did not get there"
    return f"at {'least' if one < n else 'most'} {show(ratio, 'ratio').split(' [')[0]}"


OUTCOMES = {"at_end": "at the end", "area": "mean over log updates"}
"""Outcomes in words."""

Shown = Finding | str


@dataclass(frozen=True)
class Part:
    """A part of a claim, which gets a verdict of its own.

    Attributes:
        name: C3a …
        says: what is claimed.
        test: when it holds, in words.
        contrasts: from the runs to the comparisons that decide; a ``ModcogError`` leaves the part open, and says why.
        planned: number of comparisons, which Holm's correction counts also where some could not be made.
        alone: it is about what a network can do at all; if it does, another learning rate cannot refute it.
        holds_if: ``"all"``: every comparison must speak for it, and one against it is enough to fail. ``"any"``: one is
            enough, and all must speak against it to fail.
        beside: from the runs to what is reported with it.
        table: from the runs to the rows of a table that is reported with it, the head first.
    """

    name: str
    says: str
    test: str
    contrasts: Callable[[Runs], list[Contrast]]
    planned: int = 1
    alone: bool = False
    holds_if: Literal["all", "any"] = "all"
    beside: Callable[[Runs], Sequence[Shown]] = lambda runs: ()
    table: Callable[[Runs], list[list[str]]] = lambda runs: []


@dataclass(frozen=True, repr=False)
class Claim(Brief):
    """A claim of Khona, Chandra, Ma and Fiete (2023) and its parts.

    Attributes:
        name: C1 … C5, or scale.
        title: a few words.
        says: the claim.
        parts: each with its test.
        panels: titles of the panels of its figure.
        draw: from axes, one for each panel, and runs to the drawing.
        pair: from the runs to the two networks whose difference is followed across rules.
        panel_height: height of a panel in inches.
    """

    name: str
    title: str
    says: str
    parts: tuple[Part, ...]
    panels: tuple[str, ...]
    draw: Callable[[Sequence[Any], Runs], None]
    pair: Callable[[Runs], tuple[str, str]] | None = None
    panel_height: float = 3.3


class Ruling(Brief, BaseModel):
    """The verdict on a part under one set of rules and one recipe.

    Attributes:
        part: its name.
        answer: the verdict.
        because: the reason, in a sentence.
        deciding: comparisons that decided, in words, p values included.
        beside: what is reported with them.
        table: rows of a table, the head first.
        others: rows of the table of the same comparisons by the other measures, the head first.
        numbers: the deciding comparisons as numbers.
    """

    part: str
    answer: Answer
    because: str
    deciding: list[str] = []
    beside: list[str] = []
    table: list[list[str]] = []
    others: list[list[str]] = []
    numbers: list[dict[str, Any]] = []


class Setting(Brief, BaseModel):
    """The verdicts on the parts of a claim under one set of rules and one recipe, and what they must be read with."""

    rules: str
    recipe: str
    caveats: list[str]
    rulings: list[Ruling]


class Across(Brief, BaseModel):
    """The lead of one network over another under both sets of rules, by the errors of the tasks."""

    recipe: str
    pair: tuple[str, str]
    conclusion: str
    rows: list[list[str]]


class Verdict(Brief, BaseModel):
    """The content of ``verdict.json``: parts × rules × recipes.

    Attributes:
        claim: its name.
        says: the claim.
        settings: verdicts under each set of rules and recipe.
        across: comparisons of the sets of rules, of each recipe that was used under both.
        notes: what else the verdict must be read with, from ``notes.txt``.
        command: that made the tables.
    """

    claim: str
    says: str
    settings: list[Setting]
    across: list[Across] = []
    notes: str = ""
    command: str

    def answers(self) -> dict[tuple[str, str, str], Answer]:
        """Return the verdict by part, rules and recipe."""
        return {(one.part, s.rules, s.recipe): one.answer for s in self.settings for one in s.rulings}


def decide(claim: Claim, runs: Runs, doubt: str = "") -> list[Ruling]:
    """Return the verdict on each part of a claim, p values corrected for all of the claim's comparisons (Holm 1979).

    Planned comparisons that could not be made count, too: what is significant does not depend on what was left out.

    Args:
        claim: to decide about.
        runs: under one set of rules and one recipe.
        doubt: a reason why only differences beyond ``RATES_MATTER`` can decide; empty if there is none.

    Raises:
        ModcogError: if the tables are damaged.
    """
    _ = runs.cells  # damaged tables are an error, no reason to leave a part open
    found: list[list[Contrast] | ModcogError] = []
    incomplete: ModcogError | None = None
    try:
        runs.check_complete()
    except ModcogError as error:
        incomplete = error
    for part in claim.parts:
        try:
            if incomplete:
                raise incomplete
            if not (compared := part.contrasts(runs)):
                raise ModcogError("the tables have no runs to compare")
            found.append(compared)
        except ModcogError as error:
            found.append(error)
    p = [
        [one.p_beyond(RATES_MATTER, part.alone) if doubt else one.p for one in compared]
        if isinstance(compared, list)
        else []
        for part, compared in zip(claim.parts, found, strict=True)
    ]
    made = [value for of_part in p for value in of_part]
    lacking = int(np.isnan(made).sum())
    lacking += sum(max(0, part.planned - len(of_part)) for part, of_part in zip(claim.parts, p, strict=True))
    adjusted = iter(outcomes.holm([*made, *[1.0] * lacking]))
    others = [runs.seen_by(kind) for kind in runs.other_kinds()]
    rulings = []
    for part, contrasts in zip(claim.parts, found, strict=True):
        if isinstance(contrasts, ModcogError):
            reason = str(contrasts)
            because = f"{reason[0].upper()}{reason[1:]}."
            rulings.append(Ruling(part=part.name, answer="not judged", because=because, **_reported(part, runs)))
        else:
            rulings.append(_rule(part, runs, others, contrasts, [next(adjusted) for _ in contrasts], doubt))
    return rulings


def _reported(part: Part, runs: Runs) -> dict[str, Any]:
    """Return what is reported with a part; nothing if the reason why it cannot be judged is in the way."""
    try:
        return {"beside": [str(one) for one in part.beside(runs)], "table": part.table(runs)}
    except ModcogError:
        return {}


def _rule(
    part: Part, runs: Runs, others: list[Runs], contrasts: list[Contrast], adjusted: list[float], doubt: str
) -> Ruling:
    pairs = list(zip(contrasts, adjusted, strict=True))
    speaks = [one.speaks(p) for one, p in pairs]
    for_it, against = speaks.count(1), speaks.count(-1)
    enough = for_it == len(speaks) if part.holds_if == "all" else for_it > 0
    refuted = against > 0 if part.holds_if == "all" else against == len(speaks)
    answer: Answer = "holds" if enough else "does not hold" if refuted else "cannot tell"
    numbers = [
        {"what": one.what, "unit": one.unit, "null": one.null}
        | {k: v if np.isfinite(v) else None for k, v in (one.estimate._asdict() | {"p": one.p, "adjusted": p}).items()}
        for one, p in pairs
    ]
    deciding = [f"{Finding(one.what, one.estimate, one.unit)}{_against(one)}, p = {_p(p)}" for one, p in pairs]
    because = f"{for_it} of {len(speaks)} comparisons speak for it significantly, {against} against it"
    if answer == "holds" and part.holds_if == "any":
        because += f"; the first is {contrasts[speaks.index(1)].what}"
    if len(contrasts) == 1:
        because = deciding[0]
    because += f"; {doubt}" if doubt else ""
    return Ruling(
        part=part.name,
        answer=answer,
        because=f"{because}.",
        deciding=deciding,
        others=_by_others(part, others, contrasts),
        numbers=numbers,
        **_reported(part, runs),
    )


def _against(contrast: Contrast) -> str:
    factor, _, text = UNITS[contrast.unit]
    return f" against {factor * contrast.null:g}{text}" if contrast.null and contrast.unit != "ratio" else ""


def _p(value: float) -> str:
    return "undefined" if np.isnan(value) else f"{value:.2g}"


def _by_others(part: Part, others: list[Runs], contrasts: list[Contrast]) -> list[list[str]]:
    """Return the table of the comparisons by other measures."""
    columns = {}
    for runs in others:
        try:
            found = part.contrasts(runs)
        except ModcogError:  # a measure that this part cannot be judged by
            continue
        if np.isfinite([one.estimate.mean for one in found]).any():  # else the tables lack, say, its ceiling
            columns[MEASURES[runs.kind].label] = [show(one.estimate, one.unit) for one in found]
    if not columns:
        return []
    rows = zip(*columns.values(), strict=True)
    return [["comparison", *columns], *([one.what, *row] for one, row in zip(contrasts, rows, strict=True))]
