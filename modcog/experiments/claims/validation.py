"""Test a claim: run its grids, judge the tables, and write both with the figure and the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from pydantic import BaseModel

from modcog.colours import STYLE
from modcog.errors import ModcogError, unknown
from modcog.experiments.claims import pages, protocol
from modcog.experiments.claims.c1_pool import C1
from modcog.experiments.claims.c2_autapses import C2
from modcog.experiments.claims.c3_density import C3
from modcog.experiments.claims.c4_locality import C4
from modcog.experiments.claims.c5_synapses import C5
from modcog.experiments.claims.claim import Across, Claim, Runs, Setting, Verdict, decide
from modcog.experiments.claims.protocol import FIRST_SCORE, PRESETS, RECIPES, RULES
from modcog.experiments.claims.rates import COLUMNS as SEARCH_COLUMNS
from modcog.experiments.claims.rates import best_rates, missing_runs, search_table
from modcog.experiments.claims.rule_errors import as_rows, compare_rules, conclusion, draw_rules, other_rates
from modcog.experiments.claims.scale import SCALE
from modcog.experiments.sweeps import Grid, Sweep, curves, results, sweep
from modcog.experiments.sweeps.records import unfinished
from modcog.experiments.sweeps.results import COLUMNS, Record, read_table, write_table
from modcog.files import whole_file, write_json, write_text
from modcog.training.duration import training_seconds
from modcog.user_code import failures_as
from modcog.validation import read_record, read_text

CLAIMS: dict[str, Claim] = {claim.name: claim for claim in (C1, C2, C3, C4, C5, SCALE)}
"""Claims by name."""

RESULTS, CURVES, SEARCH = "results.csv.gz", "curves.csv.gz", "search.csv.gz"
FIGURE, ACROSS, PAGE, VERDICT, NOTES = "figure.png", "rules.png", "README.md", "verdict.json", "notes.txt"

KEYS = ["rules", "recipe"]

ROUNDS = 6
"""Number of times that a search adds runs, where the best learning rate is at the edge or close to others."""


class Made(BaseModel):
    """The part of a ``verdict.json`` that is read again."""

    command: str


class Plan(NamedTuple):
    """Runs that a verdict still needs.

    Attributes:
        judged: number of runs that the claim is judged by.
        searched: number of runs that choose learning rates.
        hours: on one core, for both; see ``modcog.training.duration``.
    """

    judged: int
    searched: int
    hours: float


def plan(
    name: str,
    preset: str = "full",
    out: str | Path = "runs/claims",
    *,
    rules: str | None = None,
    recipe: str | None = None,
    search: bool | None = None,
    seeds: Sequence[int] | None = None,
) -> Plan:
    """Return the runs that ``validate`` would have to train, given the same arguments."""
    claim, counts, seconds = find(name), [0, 0], 0.0
    for key in _settings_of(rules, recipe):
        rates = _stored_rates(claim, preset, Path(out), *key) if searches(preset, search) else None
        grids = [protocol.judged(claim.name, *key, rates, preset, seeds)]
        grids += [protocol.search(claim.name, *key, preset)] if searches(preset, search) and rates is None else []
        for k, grid in enumerate(grids):
            todo = unfinished(grid.cells(Path(out).absolute() / "runs"))
            counts[k] += len(todo)
            seconds += sum(training_seconds(cell.config) for cell in todo)
    return Plan(counts[0], counts[1], seconds / 3600)


def validate(
    name: str,
    preset: str = "full",
    out: str | Path = "runs/claims",
    *,
    rules: str | None = None,
    recipe: str | None = None,
    search: bool | None = None,
    seeds: Sequence[int] | None = None,
    jobs: int = 1,
    dask: str | None = None,
    together: bool = False,
    progress: bool | None = None,
) -> Verdict:
    """Run the grids of a claim and judge it.

    The runs are in ``out/runs``, which all claims share, so that a network that two claims need is trained once. The
    tables, the figure and the verdict go to ``out/<name>``, those of the small preset to ``out/<name>-small``; rows of
    rules, recipes and seeds that are not run now stay in the tables. ``out/README.md`` gets the table of all verdicts.

    Args:
        name: C1 … C5, or scale.
        preset: ``"small"``, for a look in minutes, or ``"full"``, which takes core hours; see ``plan``.
        out: folder of all claims.
        rules: ``"published"`` or ``"corrected"``; None: both.
        recipe: ``"authors"`` or ``"modcog"``; None: both.
        search: choose the learning rate of each network first, by runs of their own, unless ``search.csv.gz`` in the
            claim's folder has them; None: only with the full preset.
        seeds: seeds of the runs that the claim is judged by; None: those of the preset.
        jobs: runs at a time on this machine.
        dask: address of a dask scheduler whose workers train instead.
        together: train networks side by side, which is for a GPU; see ``modcog.experiments.sweeps.sweep``.
        progress: show a bar; None: if standard error is a terminal.

    Raises:
        UnknownNameError: for a claim, preset, set of rules or recipe that does not exist.
        ModcogError: if a run failed; the others are kept, and failed ones are tried again the next time. Also if the
            best learning rate is at the edge of those tried.
    """
    claim, out = find(name), Path(out)
    if preset not in PRESETS:
        raise unknown("preset", preset, PRESETS)
    folder = folder_of(claim, preset, out)

    def trained(grid: Grid) -> Sweep:
        return sweep(grid, out / "runs", jobs=jobs, dask=dask, together=together, progress=progress)

    for key in _settings_of(rules, recipe):
        rates = _stored_rates(claim, preset, out, *key) if searches(preset, search) else None
        if searches(preset, search) and rates is None:
            found = _search(claim, key, preset, trained)
            _replace(folder / SEARCH, found, partial(_of, key=key))
            rates = best_rates(found, *key)
        done = trained(protocol.judged(claim.name, *key, rates, preset, seeds))
        if done.failed:
            first, error = next(iter(done.failed.items()))
            raise ModcogError(f"{len(done.failed)} of {len(done.cells)} runs are not finished; {first}: {error}")
        _store(folder, key, done.records)
    command = f"modcog validate {claim.name} --preset {preset}"
    command += "".join(f" --{kind} {name}" for kind, name in (("rules", rules), ("recipe", recipe)) if name)
    command += f" --seeds {len(seeds)}" if seeds is not None else ""
    verdict = judge(claim, folder, command)
    _fill_front(out, make=True)
    return verdict


def searches(preset: str, search: bool | None) -> bool:
    """Return True if learning rates are chosen by a search."""
    return preset == "full" if search is None else search


def find(name: str) -> Claim:
    """Return a claim by its name, in capitals or not.

    Raises:
        UnknownNameError: if there is none.
    """
    for known in (name, name.upper(), name.lower()):
        if known in CLAIMS:
            return CLAIMS[known]
    raise unknown("claim", name, CLAIMS)


def folder_of(claim: Claim, preset: str, out: Path) -> Path:
    """Return the folder of a verdict; a small preset does not overwrite the figures that are quoted."""
    return out / (claim.name if preset == "full" else f"{claim.name}-{preset}")


def _settings_of(rules: str | None, recipe: str | None) -> list[tuple[str, str]]:
    for kind, name, known in (("rules", rules, RULES), ("recipe", recipe, RECIPES)):
        if name is not None and name not in known:
            raise unknown(kind, name, known)
    found = [(r, s) for r in ([rules] if rules else RULES) for s in ([recipe] if recipe else RECIPES)]
    return sorted(found)  # as the rows of the tables


def _stored_rates(claim: Claim, preset: str, out: Path, rules: str, recipe: str) -> dict[str, float] | None:
    """Return the rates that a stored search chose for all networks of a claim; None if it lacks one."""
    path = folder_of(claim, preset, out) / SEARCH
    if not path.exists():
        return None
    table = read_table(path, SEARCH_COLUMNS)
    table = table[(table["rules"] == rules) & (table["recipe"] == recipe)]
    names = {protocol.name_of(arm) for arm in protocol.arms(claim.name, recipe, preset)}
    done = names <= set(table["arm"]) and not missing_runs(table, rules, recipe)
    return best_rates(table, rules, recipe) if done else None


def _search(claim: Claim, key: tuple[str, str], preset: str, trained: Callable[[Grid], Sweep]) -> pd.DataFrame:
    """Return the table of a search, with the runs that it needs beyond those that all networks have."""
    records = trained(protocol.search(claim.name, *key, preset)).records
    for _ in range(ROUNDS):
        if further := missing_runs(search_table(results(records), key[1]), *key):
            records += trained(protocol.search(claim.name, *key, preset, further)).records
    return search_table(results(records), key[1])


def _store(folder: Path, key: tuple[str, str], records: Sequence[Record]) -> None:
    """Write runs to the tables of a folder, in place of those under the same rules and recipe with the same seeds."""
    scores, learning = (table.assign(rules=key[0], recipe=key[1]) for table in (results(records), curves(records)))
    seeds = set(scores["seed"].astype(str))
    gone: set[str] = set()

    def replaced(old: pd.DataFrame) -> pd.Series:
        found = _of(old, key) & old["seed"].isin(seeds)
        gone.update(old.loc[found, "cell"])
        return found

    _replace(folder / RESULTS, scores, replaced)
    _replace(folder / CURVES, learning, lambda old: old["cell"].isin(gone | set(scores["cell"])))


def _of(table: pd.DataFrame, key: tuple[str, str]) -> pd.Series:
    return (table["rules"] == key[0]) & (table["recipe"] == key[1])


def _replace(path: Path, table: pd.DataFrame, replaced: Callable[[pd.DataFrame], pd.Series]) -> None:
    """Write a table in place of some rows of the one that is there; the others stay, to the letter."""
    if path.exists():
        new = path.with_name(f"new-{path.name}")
        write_table(table, new)
        old, table = (read_table(part, KEYS, dtype=str, keep_default_na=False) for part in (path, new))
        new.unlink()
        table = pd.concat([old[~replaced(old)], table])[list(table)].sort_values(KEYS, kind="stable")
    write_table(table, path)


def judge_again(claim: Claim, folder: Path) -> Verdict:
    """Judge a claim by the tables in a folder, which an earlier call may have written with its command.

    Raises:
        ModcogError: as ``judge`` does, or if the verdict that is there is damaged.
    """
    there = folder / VERDICT
    verdict = judge(claim, folder, read_record(there, Made).command if there.exists() else "unknown")
    _fill_front(folder.absolute().parent)
    return verdict


def runs_of(folder: Path) -> list[Runs]:
    """Return the runs in the tables of a folder, by rules and recipe, seen by the measure that decides.

    Raises:
        ModcogError: if a table is missing or damaged.
    """
    for path in (folder / RESULTS, folder / CURVES):
        if not path.exists():
            raise ModcogError(f"{path} is missing: a claim is judged by a folder with {RESULTS} and {CURVES}")
    scores = read_table(folder / RESULTS, ["recipe", *COLUMNS])
    learning = read_table(folder / CURVES, (*KEYS, "cell", "step", "trials", "decision_accuracy"))
    with failures_as(f"{folder / RESULTS} is damaged"):
        groups = [
            Runs(rules, recipe, FIRST_SCORE[recipe], rows, learning[learning["cell"].isin(rows["cell"])])
            for (rules, recipe), rows in scores[scores["task"].notna()].groupby(KEYS, sort=False)
        ]
    if not groups:
        raise ModcogError(f"{folder / RESULTS} has no finished run")
    return groups


def judge(claim: Claim, folder: Path, command: str) -> Verdict:
    """Judge a claim by the tables in a folder, and write the verdict, the figure and a page beside them.

    The folder has ``results.csv.gz`` and ``curves.csv.gz``, perhaps ``search.csv.gz``, by which learning rates were
    chosen, and ``notes.txt``, which goes to the page and the verdict; ``command`` is the one that made the tables.

    Raises:
        ModcogError: if a table is missing or damaged.
    """
    groups = runs_of(folder)
    searched = read_table(folder / SEARCH, SEARCH_COLUMNS) if (folder / SEARCH).exists() else None
    with failures_as(f"{folder}: {claim.name} cannot be judged by its tables"):
        settings = [
            Setting(
                rules=r.rules,
                recipe=r.recipe,
                caveats=pages.caveats(r, searched),
                rulings=decide(claim, r, pages.rates_doubt(r, searched)),
            )
            for r in groups
        ]
        pictures = {FIGURE: _figure(claim, groups)}
        across, figure = _across(claim, groups)
        pictures |= {ACROSS: figure} if figure else {}
    notes = " ".join(read_text(folder / NOTES).split()) if (folder / NOTES).exists() else ""
    verdict = Verdict(claim=claim.name, says=claim.says, settings=settings, across=across, notes=notes, command=command)
    write_json(folder / VERDICT, verdict.model_dump())
    for name, drawing in pictures.items():
        with whole_file(folder / name) as part:
            drawing.savefig(part, format="png", dpi=150)
    tables = {"results, a row for each run and task": RESULTS, "learning curves": CURVES}
    tables |= {"search for learning rates": SEARCH} if searched is not None else {}
    shown = {claim.title: FIGURE} | ({"Both sets of rules": ACROSS} if figure else {})
    write_text(folder / PAGE, pages.page(claim, verdict, shown, tables))
    return verdict


@rc_context(STYLE)
def _figure(claim: Claim, groups: list[Runs]) -> Figure:
    """Draw a claim, at most two panels side by side, so that they can be read on a phone."""
    width = min(2, len(claim.panels))
    height = -(-len(claim.panels) // width)
    drawing = Figure(figsize=(1 + 3.4 * width, claim.panel_height * height * len(groups)))
    grid = drawing.subplots(height * len(groups), width, squeeze=False)
    for k, runs in enumerate(groups):
        panels = grid[k * height : (k + 1) * height].ravel()
        for axes, title in zip(panels, claim.panels, strict=False):
            axes.set_title(f"{runs.rules} rules, {runs.recipe} recipe:\n{title}")
        for axes in panels[len(claim.panels) :]:
            axes.set_axis_off()
        claim.draw(list(panels[: len(claim.panels)]), runs)
    return drawing


def _across(claim: Claim, groups: list[Runs]) -> tuple[list[Across], Figure | None]:
    """Compare both sets of rules, for each recipe that was run under both."""
    by_key = {(runs.rules, runs.recipe): runs for runs in groups}
    tables = []
    for published in groups if claim.pair else ():
        corrected = by_key.get(("corrected", published.recipe))
        if published.rules == "published" and corrected:
            try:
                pair = claim.pair(published)  # type: ignore[misc]
            except ModcogError:  # tables without these networks
                continue
            rates = other_rates(published, corrected, pair)
            tables.append((pair, compare_rules(published, corrected, pair), rates))
    if not tables:
        return [], None
    drawing = Figure(figsize=(7 * len(tables), 5), layout="constrained")
    for axes, (pair, table, _) in zip(drawing.subplots(1, len(tables), squeeze=False)[0], tables, strict=True):
        axes.set_title(f"{table['recipe'].iloc[0]} recipe: {pair[0]} − {pair[1]}", fontsize=9, loc="left")
        draw_rules(axes, table)
    found = [
        Across(recipe=table["recipe"].iloc[0], pair=pair, conclusion=conclusion(table) + rates, rows=as_rows(table))
        for pair, table, rates in tables
    ]
    return found, drawing


def _fill_front(folder: Path, make: bool = False) -> None:
    """Write the table of verdicts of a folder's claims to its page, if that has a place for it."""
    page = folder / PAGE
    if make or (page.is_file() and pages.START in read_text(page)):
        known = [(claim, folder / name / VERDICT) for name, claim in CLAIMS.items()]
        verdicts = [(claim, read_record(path, Verdict)) for claim, path in known if path.exists()]
        if verdicts:
            pages.write_front(page, pages.front_table(verdicts))
