"""The gallery: a page for each base task and an index of all tasks, from the package's words, trials and levels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import pictures

import modcog
from modcog.describe import Description, describe
from modcog.evaluation import levels
from modcog.experiments.benchmark import Reference, stored
from modcog.settings import RULES
from modcog.tasks.names import compose, summary, variants
from modcog.tasks.table import YANG19

FAMILIES = {"go": "Go family", "decision": "Decision family", "match": "Match family"}

_WIDE = "---\nhide: [toc]\n---\n\n"  # the pictures take the room of the table of contents

_INDEX = """\
# All 132 tasks

Each small picture is one trial, time to the right: from above the fixation cue, the ring of modality 1 (blue), the ring
of modality 2 (orange), the right answer (green), and a last line that is grey while fixation is to be held. Choose one
to see it with axes and words. The number is the task's place in `modcog.TASKS`, and in a battery of all tasks the place
of its rule channel. What the extensions do is told under [What the tasks are](../tasks.md#the-two-extensions).
"""


def navigation() -> list[Any]:
    """The index, then the pages by family."""
    families = {
        title: [{row.name: f"gallery/{row.name}.md"} for row in YANG19 if row.family == family]
        for family, title in FAMILIES.items()
    }
    return ["gallery/index.md", *({title: pages} for title, pages in families.items())]


def pages(drawn: bool) -> dict[str, str | bytes]:
    """Path to Markdown or image of the whole gallery.

    Args:
        drawn: whether trials are drawn with axes and words, which takes most of a minute for all; or else as in the
            index, for a quick look at the site.
    """
    return {**_pages(), **_small_pictures(), **_animations(), **(_drawn_pictures() if drawn else _stand_ins())}


@lru_cache(maxsize=1)  # for a server that builds again and again
def _small_pictures() -> dict[str, bytes]:
    return {f"gallery/small/{task}.png": pictures.small(pictures.telling(task)) for task in modcog.TASKS}


@lru_cache(maxsize=1)
def _animations() -> dict[str, bytes]:
    return {f"gallery/moving/{task}.gif": pictures.moving(task) for task in pictures.MOVING}


@lru_cache(maxsize=1)
def _drawn_pictures() -> dict[str, bytes]:
    return _trials(pictures.drawn)


def _stand_ins() -> dict[str, bytes]:
    return _trials(pictures.small)


def _trials(draw: Callable[[modcog.Trials], bytes]) -> dict[str, bytes]:
    """A picture for every task, and one more for those base tasks that have trials without a response."""
    found = {f"gallery/{task}.png": draw(pictures.telling(task)) for task in modcog.TASKS}
    return found | {f"gallery/{row.name}-hold.png": draw(pictures.telling(row.name, False)) for row in _holding()}


def _holding() -> list[modcog.Base]:
    return [row for row in YANG19 if row.family == "match"]


def _pages() -> dict[str, str]:
    tasks = {f"gallery/{row.name}.md": _task_page(row) for row in YANG19}
    return {"gallery/index.md": _index(), **tasks}


def _index() -> str:
    """The page of all 132."""
    parts = [_WIDE + _INDEX]
    for family, title in FAMILIES.items():
        parts.append(f"## {title}\n")
        parts.extend(_index_entry(row) for row in YANG19 if row.family == family)
    return "\n".join(parts)


def _index_entry(row: modcog.Base) -> str:
    """A base task: its name, what the subject must do, and a small picture of it and of each of its variants."""
    cards = "\n".join(
        f"[![A trial of {task}](small/{task}.png){{ loading=lazy }} **{task}** {modcog.TASKS.index(task)}]"
        f"({row.name}.md#{task})"
        for task in variants(row.name)
    )
    return f"### [{row.name}]({row.name}.md)\n\n{row.summary}\n\n{_block('small-trials', cards)}"


def _task_page(row: modcog.Base) -> str:
    told = describe(row.name)
    parts = [
        f"{_WIDE}# {row.name}\n\n{row.summary}\n\n{_first_trials(row)}",
        _extension(row, "Interval", [(s, 0) for s in (+1, -1)] if row.timed else []),
        _extension(row, "Sequence", [(0, s) for s in (+1, -1)]),
        _extension(row, "Interval and sequence", [(i, s) for i in (+1, -1) for s in (+1, -1)] if row.timed else []),
        f"## Periods\n\n{_periods(told)}\n{_drawn_for_each(told)}",
        f"## Scores\n\n{_scores(row)}",
        f"## Try it\n\n{_try(row)}",
    ]
    return "\n".join(filter(None, parts))


def _first_trials(row: modcog.Base) -> str:
    """The base task's own trial; in the match family also one in which fixation is to be held."""
    names = {row.name: "A trial that asks for a response" if row in _holding() else "A trial"}
    if row in _holding():
        names[f"{row.name}-hold"] = "A trial in which fixation is to be held"
    figures = [_figure(name, f"**{row.name}**: {told}.") for name, told in names.items()]
    return _block("trials", "\n".join(figures)) + _animation(row.name)


def _extension(row: modcog.Base, title: str, signs: Iterable[tuple[int, int]]) -> str:
    """The variants with one extension, or both: what it does, and a trial of each."""
    tasks = [compose(row.name, *pair) for pair in signs]
    if not tasks:
        return ""
    told = describe(tasks[0])
    moves = f"{told.interval}{told.sequence} With l for r, to the left." if len(tasks) == 2 else _both(told)
    figures = "\n".join(_figure(task, f"**{task}**: {_how_it_moves(task)}") for task in tasks)
    return f"## {title}\n\n{moves}\n\n{_block('trials', figures)}" + "".join(map(_animation, tasks))


def _both(told: Description) -> str:
    return f"First the interval moves the answer, then the sequence. The label at step j is {told.answer}."


def _how_it_moves(task: str) -> str:
    """The sentence on the extensions alone."""
    spec = modcog.parse(task)
    return summary(spec).removeprefix(spec.row.summary).strip()


def _animation(task: str) -> str:
    if task not in pictures.MOVING:
        return ""
    text = f"{task}, played rightly. The outer dials are the two rings, the middle one shows the cue and the response."
    return "\n" + _block("moving", f"![{task}, step by step](moving/{task}.gif){{ loading=lazy }}\n\n{text}")


def _figure(name: str, caption: str) -> str:
    image = f"![A trial of {name}]({name}.png){{ loading=lazy }}"
    below = f"<figcaption markdown>{caption}</figcaption>"
    return f'<figure id="{name}" markdown>\n{image}\n{below}\n</figure>'


def _block(kind: str, content: str) -> str:
    return f'<div class="{kind}" markdown>\n{content}\n</div>\n'


def _periods(told: Description) -> str:
    rows = [f"| {p.name} | {p.ms} | {p.steps} | {p.shows} |" for p in told.periods]
    head = "| period | lasts | steps of 100 ms | the subject sees |\n| --- | --- | --- | --- |"
    return "\n".join([head, *rows, ""])


def _drawn_for_each(told: Description) -> str:
    rows = [f"| `{name}` | {meaning} |" for name, meaning in told.conditions.items() if not name.startswith("duration")]
    head = "Besides durations, these are drawn for each trial or follow from what was drawn:\n"
    return "\n".join([head, "| in `trials.conditions` | |", "| --- | --- |", *rows, ""])


def _scores(row: modcog.Base) -> str:
    """What blindness gets, what the noise allows, and what the reference networks reached, for every variant."""
    tasks, networks = variants(row.name), _references()
    found = {rules: levels(modcog.Battery(tasks, rules=rules)) for rules in RULES}
    head = (
        "Decision accuracy of a player that sees no stimulus, of an [ideal observer](../scores.md#ceiling)"
        f"{', and of reference networks' if networks else ''}. For the published rules, the first two alone.\n"
    )
    columns = ["task", "chance", "ceiling", *(network.name for network in networks), "published: chance", "ceiling"]
    rows = [
        [
            task,
            *_percent(found["corrected"][task].decision_chance, found["corrected"][task].decision_ceiling),
            *_percent(*(network.scores[task][0] for network in networks)),
            *_percent(found["published"][task].decision_chance, found["published"][task].decision_ceiling),
        ]
        for task in tasks
    ]
    table = [columns, ["---"] * len(columns), *rows]
    told = "".join(f"\n{sentence}\n" for sentence in dict.fromkeys(map(_trained, networks)))
    return "\n".join([head, *("| " + " | ".join(cells) + " |" for cells in table), told])


def _percent(*shares: float) -> list[str]:
    return [f"{share:.1%}" for share in shares]


def _references() -> list[Reference]:
    """The stored networks that were trained on all tasks."""
    return [network for network in stored() if set(network.scores) == set(modcog.TASKS)]


def _trained(network: Reference) -> str:
    """How a reference network came about; those that share a protocol are told once."""
    settings = network.settings
    return (
        f"The reference networks learnt all {len(modcog.TASKS)} tasks together, in {settings['steps']:,} updates of "
        f"{settings['batch_size']} trials; means of {len(network.seeds)} seeds, {network.n_trials} trials of each task."
    )


def _try(row: modcog.Base) -> str:
    last = variants(row.name)[-1]
    return (
        f"```sh\nmodcog show {last} --plot {last}.png\n```\n\n"
        f'```python\nimport modcog\n\ntrials = modcog.Battery(["{row.name}", "{last}"]).sample(10, seed=0)\n```\n'
    )
