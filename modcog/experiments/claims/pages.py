"""Pages of claims and the table of verdicts, made of the content of ``verdict.json``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from modcog.errors import ModcogError, one_line, printable
from modcog.evaluation.measures import MEASURES
from modcog.experiments.claims.claim import RATES_MATTER, Claim, Runs, Verdict
from modcog.experiments.claims.protocol import EARLIER, RECIPES, RECIPES_SAY, RULES_SAY, SEARCH_SEEDS, TIE_SEEDS
from modcog.experiments.claims.rates import CLOSE, best_rates, tried
from modcog.experiments.outcomes import ENOUGH, LEVELS
from modcog.files import write_text
from modcog.models import masks
from modcog.models.graph import count_parts
from modcog.tables import literal, markdown_table
from modcog.validation import read_text

START, END = "<!-- verdicts -->", "<!-- end of verdicts -->"
"""Lines of a page between which the table of verdicts is written."""

_METHOD = f"""\
Numbers in brackets are 95 % intervals over seeds (Student's t), not corrected for their number. p values are
corrected: those of all comparisons that are planned to decide about the claim under the same rules and recipe together,
also where some could not be made (Holm 1979). Columns of the table above are not corrected for each other, nor are
repeated looks at tables that grow. *Significant* means a p value below 0.05. Networks are compared by seed: runs of one
seed see the same trials. The *mean over log updates* is the area under the learning curve over the logarithm of
updates, from update 100 to the end, divided by its width. Ratios of trials count a run that ends before it gets there
with all its trials, so that they are bounds if runs of one network did not get there, and are given where at least
{100 * ENOUGH:g} % of the pairs of runs have one that got there. Where whole runs did not choose the
learning rate of each network, p values are of differences beyond {100 * RATES_MATTER:.0f} points (in C1a and C1b only
where they speak against the claim), a convention of ours."""

FEW = 8
"""Seeds below which a single bad one can decide."""


def caveats(runs: Runs, search: pd.DataFrame | None) -> list[str]:
    """Return the caveats of a verdict under one set of rules and one recipe.

    Args:
        runs: that it rests on.
        search: table of the search for learning rates, if there was one.
    """
    cells, results = runs.cells, runs.results
    tasks = results["task"].nunique()
    seeds = cells.groupby("arm")["seed"].nunique()
    found = [RULES_SAY[runs.rules], RECIPES_SAY.get(runs.recipe, f"Recipe: {runs.recipe}.")]
    found.append(
        f"Budget: {_range(cells['steps'])} updates, {_range(cells['trials'])} trials, of {tasks} tasks; {_gain(runs)}"
    )
    few = "; few: only large differences can be significant, and one bad seed can make or break a verdict"
    few = few if seeds.min() < FEW else ""
    found.append(f"Seeds: {_range(seeds)} for each network{few}.")
    found.append(_rates(runs, search))
    found += _parts(runs)
    reached = ", ".join(f"{percent} % by {cells[f'trials_to_{percent}'].notna().sum()}" for percent in LEVELS)
    found.append(f"Censoring: of {len(cells)} runs, those that reached a share of the ceiling on the way: {reached}.")
    return found


def rates_doubt(runs: Runs, search: pd.DataFrame | None) -> str:
    """Return the doubt about small differences if whole runs did not choose the learning rates; empty if they did.

    A rate for all networks, and rates that runs of fewer updates chose, suit some networks and not others, which moves
    their ends by more than their seeds do.
    """
    so = f"so p values are of differences beyond {100 * RATES_MATTER:.0f} points, and ratios of trials decide nothing"
    own = _search_of(runs, search)
    if own is None:
        return f"no finished search chose the learning rate of each network, {so}"
    searched, judged = own["steps"].min(), runs.cells["steps"].max()
    if searched >= judged:
        return ""
    return f"learning rates were chosen by runs of {searched:,.0f} updates, not {judged:,.0f}, {so}"


def _search_of(runs: Runs, search: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the rows of the finished search that chose the learning rates of these runs; None if there are none."""
    if search is None:
        return None
    key = (runs.rules, runs.recipe)
    try:
        chosen = {arm: {rate} for arm, rate in best_rates(search, *key).items()}
    except ModcogError:  # there is none, or it is not finished
        return None
    used = {str(arm): set(of) for arm, of in runs.cells.groupby("arm")["learning_rate"]}
    return search[(search["rules"] == runs.rules) & (search["recipe"] == runs.recipe)] if chosen == used else None


def _parts(runs: Runs) -> list[str]:
    """Return which local networks fall into parts that have no connection between them."""
    torus = RECIPES.get(runs.recipe, {}).get("model", {}).get("torus", True)
    found = []
    for arm, cells in runs.cells[runs.cells["arch"] == "lm-rnn"].groupby("arm", sort=False):
        units, density = int(cells["hidden"].iloc[0]), float(cells["density"].iloc[0])
        if (parts := count_parts(masks.locality(units, density=density, torus=torus))) > 1:
            found.append(f"{arm} is {parts} networks side by side: no connection leads from one to another.")
    return found


def _range(values: pd.Series) -> str:
    low, high = values.min(), values.max()
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"


def _gain(runs: Runs) -> str:
    """Return how much networks still gained in the last quarter of their updates, in words."""
    curves = runs.curves.sort_values("step")
    early = curves[curves["step"] <= 0.75 * curves.groupby("cell")["step"].transform("max")]
    ends, before = (part.groupby("cell")[runs.column].last() for part in (curves, early))
    gains = (100 * (ends - before)).groupby(runs.cells["arm"]).mean().dropna()
    if gains.empty:
        return "too few evaluations to tell if training was at its end."
    return (
        f"in the last quarter networks gained {gains.min():.1f} to {gains.max():.1f} points of accuracy (where the "
        "schedule is a cosine, while the learning rate fell to 0); how much more updates would add is not known."
    )


def _rates(runs: Runs, search: pd.DataFrame | None) -> str:
    rates = runs.cells.groupby("arm", sort=False)["learning_rate"].unique()
    used = {arm: [f"{rate:g}" for rate in sorted(of)] for arm, of in rates.items()}
    listed = ", ".join(f"{arm}: {' and '.join(of)}" for arm, of in used.items())
    if (own := _search_of(runs, search)) is not None:
        scores = tried(own, runs.rules, runs.recipe)
        common = set.intersection(*(set(of.index) for of in scores.values()))
        wider = _by_arm({arm: set(of.index) - common for arm, of in scores.items()})
        close = _by_arm({arm: of.reindex(columns=TIE_SEEDS).dropna().index for arm, of in scores.items()})
        return (
            f"Learning rates: for each network the best of {_listed(common)}{wider and f' ({wider})'} by "
            f"{MEASURES[runs.kind].label} after {_listed(own['steps'].unique())} updates (also where the way there is "
            f"compared), on seeds that are not judged ({_listed(SEARCH_SEEDS)}). Rates within {100 * CLOSE:g} points "
            f"of the best were compared by more seeds ({_listed(TIE_SEEDS)}): {close or 'none'}. Intervals do not "
            f"include the choice. Chosen: {listed}."
        )
    every = {rate for of in used.values() for rate in of}
    if len(every) == 1:
        return f"Learning rate: {every.pop()} for all networks; not chosen for each network."
    return f"Learning rates: {listed}; no finished search is stored that chose them."


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{x:,g}" for x in sorted(values))


def _by_arm(rates: Mapping[str, Iterable[float]]) -> str:
    return "; ".join(f"{arm}: {text}" for arm, of in rates.items() if (text := _listed(of)))


def page(claim: Claim, verdict: Verdict, pictures: Mapping[str, str], tables: Mapping[str, str]) -> str:
    """Return a verdict as Markdown.

    Args:
        claim: that was judged.
        verdict: on it.
        pictures: file names of pictures, by what they show.
        tables: file names of tables, by what they have.
    """
    lines = [f"# Claim {claim.name}: {claim.title}", f"**The claim.** {claim.says}"]
    heads = [f"{setting.rules} rules, {setting.recipe} recipe" for setting in verdict.settings]
    rows = [["", "part", *heads]]
    for k, part in enumerate(claim.parts):
        rows.append([part.name, f"{part.says}", *(s.rulings[k].answer for s in verdict.settings)])
    lines += [markdown_table(rows, "l"), "## Tests"]
    lines.append("\n".join(f"- **{part.name}.** {part.test}" for part in claim.parts))
    lines += [_METHOD, *([f"**Notes.** {verdict.notes}"] if verdict.notes else ())]
    for head, setting in zip(heads, verdict.settings, strict=True):
        lines += [f"## Under {head}", _bullets(setting.caveats)]
        for ruling in setting.rulings:
            lines.append(f"**{ruling.part}: {ruling.answer}.** {literal(ruling.because)}")
            shown = [*(ruling.deciding if len(ruling.deciding) > 1 else ()), *ruling.beside]
            lines += [_bullets(shown)] if shown else []
            lines += [markdown_table(ruling.table, "l")] if ruling.table else []
            if ruling.others:
                dash = any("–" in row for row in ruling.others)
                why = "; a dash: errors have no share of the ceiling, or too few runs reached it" if dash else ""
                turned = "more is better: errors and unanswered steps have their sign turned"
                lines.append(f"By the other measures ({turned}{why}):")
                lines.append(markdown_table(ruling.others, "l"))
    if verdict.across:
        lines += ["## The same networks under both sets of rules"]
        for across in verdict.across:
            lines += [
                f"{across.recipe} recipe: the lead of {literal(across.pair[0])} over {literal(across.pair[1])} at "
                f"the end, on the tasks that the same errors of the published code concern. {across.conclusion}",
                markdown_table(across.rows, "l"),
            ]
        lines.append("P1 concerns all tasks; a group is an association, not a cause, where tasks share several errors.")
    lines += [f"![{title}]({file})" for title, file in pictures.items()]
    recipes = {setting.recipe for setting in verdict.settings}
    made = f" Made by `{one_line(verdict.command)}`." if recipes - {EARLIER} else ""
    if EARLIER in recipes:
        made += (
            " Runs of the earlier recipe are of an earlier version of this package; no command repeats them exactly."
        )
    lines.append(f"Tables: {'; '.join(f'[{what}]({file})' for what, file in tables.items())}.{made}")
    return printable("\n\n".join(lines) + "\n", keep="\n")


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {literal(text)}" for text in texts)


def verdict_text(claim: Claim, verdict: Verdict) -> str:
    """Return a verdict as plain text, caveats included."""
    lines = [f"Note: {verdict.notes}"] if verdict.notes else []
    for setting in verdict.settings:
        lines.append(f"{claim.name} under {setting.rules} rules, {setting.recipe} recipe")
        lines += [f"  ! {text}" for text in setting.caveats]
        says = {part.name: part.says for part in claim.parts}
        for ruling in setting.rulings:
            lines.append(f"  {ruling.part}: {ruling.answer}. {says[ruling.part]} {ruling.because}")
            lines += [f"    {text}" for text in (*ruling.deciding, *ruling.beside)]
    return "\n".join(lines)


def front_table(claims: Iterable[tuple[Claim, Verdict]]) -> str:
    """Return the table of verdicts: a row for each part, a column for each set of rules and recipe."""
    known = list(claims)
    keys = dict.fromkeys((s.rules, s.recipe) for _, verdict in known for s in verdict.settings)
    rows = [["", "part", *(f"{rules} rules, {recipe} recipe" for rules, recipe in keys)]]
    for claim, verdict in known:
        answers = {(s.rules, s.recipe): [ruling.answer for ruling in s.rulings] for s in verdict.settings}
        for k, part in enumerate(claim.parts):
            row = [f"[{part.name}]({claim.name}/README.md)", part.says]
            rows.append(row + [answers[key][k] if key in answers else "–" for key in keys])
    return markdown_table(rows, "l")


def write_front(page: Path, table: str) -> None:
    """Write the table of verdicts between its marks in a page; make the page if there is none."""
    text = read_text(page) if page.exists() else f"# Verdicts\n\n{START}\n{END}\n"
    filled = re.sub(f"{START}.*{END}", lambda _: f"{START}\n{table}\n{END}", text, flags=re.DOTALL)
    write_text(page, printable(filled, keep="\n"))
