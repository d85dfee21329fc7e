"""Gallery: a page for each base task and an index of all tasks, generated from the package."""

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

Draw = Callable[[modcog.Trials], bytes]

FAMILIES = {"go": "Go family", "decision": "Decision family", "match": "Match family"}

_WIDE = "---\nhide: [toc]\n---\n\n"  # pictures use the space of the table of contents

_INDEX = """\
# All 132 tasks

Each small picture is one trial, with time from left to right. From above: the fixation cue, the ring of modality 1
(blue), the ring of modality 2 (orange), the correct answer (green), and a line that is grey while fixation is to be
held. Choose a picture to see the trial with axes and labels. The number is the task's index in `modcog.TASKS`, and that
of its rule channel in a battery of all tasks. [The tasks](../tasks.md#the-two-extensions) explains the extensions.
"""


def navigation() -> list[Any]:
    """Return the index and the pages by family."""
    families = {
        title: [{row.name: f"gallery/{row.name}.md"} for row in YANG19 if row.family == family]
        for family, title in FAMILIES.items()
    }
    return ["gallery/index.md", *({title: pages} for title, pages in families.items())]


def pages(drawn: bool) -> dict[str, str | bytes]:
    """Return the pages and images of the gallery by path.

    Args:
        drawn: draw trials with axes and labels, which takes most of a minute for all; False: as small pictures, for a
            quick preview of the site.
    """
    return {**_pages(), **_small_pictures(), **(_drawn_pictures() if drawn else _stand_ins())}


@lru_cache(maxsize=1)  # for a server that rebuilds the site
def _small_pictures() -> dict[str, bytes]:
    return {f"gallery/small/{task}.png": pictures.small(pictures.telling(task)) for task in modcog.TASKS}


@lru_cache(maxsize=1)
def _drawn_pictures() -> dict[str, bytes]:
    return _trials(pictures.drawn) | _animations(pictures.moving, pictures.still)


def _stand_ins() -> dict[str, bytes]:
    return _trials(pictures.small) | _animations(pictures.small, pictures.small)


def _animations(moving: Draw, still: Draw) -> dict[str, bytes]:
    """Return an animation of each task that has one, and a picture for readers who want nothing to move."""
    trials = {task: pictures.telling(task) for task in pictures.MOVING}
    return {f"gallery/moving/{task}.gif": moving(trial) for task, trial in trials.items()} | {
        f"gallery/moving/{task}.png": still(trial) for task, trial in trials.items()
    }


def _trials(draw: Draw) -> dict[str, bytes]:
    """Return a picture for every task, and a second one for base tasks with trials that ask to hold fixation."""
    found = {f"gallery/{task}.png": draw(pictures.telling(task)) for task in modcog.TASKS}
    return found | {
        f"gallery/{row.name}-hold.png": draw(pictures.telling(row.name, respond=False)) for row in _holding()
    }


def _holding() -> list[modcog.Base]:
    return [row for row in YANG19 if row.family == "match"]


def _pages() -> dict[str, str]:
    tasks = {f"gallery/{row.name}.md": _task_page(row) for row in YANG19}
    return {"gallery/index.md": _index(), **tasks}


def _index() -> str:
    """Return the page of all 132 tasks."""
    parts = [_WIDE + _INDEX]
    for family, title in FAMILIES.items():
        parts.append(f"## {title}\n")
        parts.extend(_index_entry(row) for row in YANG19 if row.family == family)
    return "\n".join(parts)


def _index_entry(row: modcog.Base) -> str:
    """Return the entry of a base task: name, summary, and a small picture of each of its variants."""
    cards = "\n".join(
        f"[![A trial of {task}](small/{task}.png){{ loading=lazy }} **{task}** {modcog.TASKS.index(task)}]"
        f"({row.name}.md#{task})"
        for task in variants(row.name)
    )
    return f"### [{row.name}]({row.name}.md)\n\n{row.summary}\n\n{_block('small-trials', cards)}"


def _task_page(row: modcog.Base) -> str:
    description = describe(row.name)
    parts = [
        f"{_WIDE}# {row.name}\n\n{row.summary}\n\n{_first_trials(row)}",
        _extension(row, "Interval", [(s, 0) for s in (+1, -1)] if row.timed else []),
        _extension(row, "Sequence", [(0, s) for s in (+1, -1)]),
        _extension(row, "Interval and sequence", [(i, s) for i in (+1, -1) for s in (+1, -1)] if row.timed else []),
        f"## Periods\n\n{_periods(description)}\n{_drawn_for_each(description)}",
        f"## Scores\n\n{_scores(row)}",
        f"## Try it\n\n{_try(row)}",
    ]
    return "\n".join(filter(None, parts))


def _first_trials(row: modcog.Base) -> str:
    """Return a trial of the base task; in the match family also one in which fixation is to be held."""
    names = {row.name: "A trial that asks for a response" if row in _holding() else "A trial"}
    if row in _holding():
        names[f"{row.name}-hold"] = "A trial in which fixation is to be held"
    figures = [_figure(name, f"**{row.name}**: {text}.") for name, text in names.items()]
    return _block("trials", "\n".join(figures)) + _animation(row.name)


def _extension(row: modcog.Base, title: str, signs: Iterable[tuple[int, int]]) -> str:
    """Return the section of the variants with one extension, or both, with a trial of each."""
    tasks = [compose(row.name, *pair) for pair in signs]
    if not tasks:
        return ""
    first = describe(tasks[0])
    moves = f"{first.interval}{first.sequence} With l instead of r: to the left." if len(tasks) == 2 else _both(first)
    figures = "\n".join(_figure(task, f"**{task}**: {_how_it_moves(task)}") for task in tasks)
    return f"## {title}\n\n{moves}\n\n{_block('trials', figures)}" + "".join(map(_animation, tasks))


def _both(description: Description) -> str:
    return f"First the interval moves the answer, then the sequence. The label at step j is {description.answer}."


def _how_it_moves(task: str) -> str:
    """Return the sentence on the extensions only."""
    spec = modcog.parse(task)
    return summary(spec).removeprefix(spec.row.summary).strip()


def _animation(task: str) -> str:
    if task not in pictures.MOVING:
        return ""
    text = (
        f"**{task}** step by step, with correct responses. {_course(task)}Direction 0 is on the right, and directions "
        "count anticlockwise."
    )
    sources = (
        f'<source srcset="moving/{task}.png" media="(prefers-reduced-motion: reduce)">'
        f'<img src="moving/{task}.gif" alt="A trial of {task}, step by step" width="640" height="320" loading="lazy">'
    )
    return "\n" + _block("moving", f"<picture>{sources}</picture>\n\n{text}")


def _course(task: str) -> str:
    """Return the sentence on where the answer of the drawn trial moves, for tasks with an extension."""
    trial, spec = pictures.telling(task), modcog.parse(task)
    first, last = (int(trial.packed_labels[i]) - 1 for i in (trial.decision_start[0], -1))
    if spec.interval:
        row = trial.rows[0]
        return f"After T = {row['interval_ms']:g} ms the answer has moved from direction {row['target']} to {first}. "
    return f"The answer moves from direction {first} to {last}. " if spec.sequence else ""


def _figure(name: str, caption: str) -> str:
    image = f"![A trial of {name}]({name}.png){{ loading=lazy }}"
    below = f"<figcaption markdown>{caption}</figcaption>"
    return f'<figure id="{name}" markdown>\n{image}\n{below}\n</figure>'


def _block(kind: str, content: str) -> str:
    return f'<div class="{kind}" markdown>\n{content}\n</div>\n'


def _periods(description: Description) -> str:
    rows = [f"| {p.name} | {p.ms} | {p.steps} | {p.shows} |" for p in description.periods]
    head = "| period | duration | steps of 100 ms | shown |\n| --- | --- | --- | --- |"
    return "\n".join([head, *rows, ""])


def _drawn_for_each(description: Description) -> str:
    meanings = {name: text for name, text in description.conditions.items() if not name.startswith("duration")}
    rows = [f"| `{name}` | {text} |" for name, text in meanings.items()]
    head = "Besides durations, these conditions are drawn for each trial or follow from those drawn:\n"
    return "\n".join([head, "| in `trials.conditions` | meaning |", "| --- | --- |", *rows, ""])


def _scores(row: modcog.Base) -> str:
    """Return chance, ceiling and the accuracies of the reference networks for every variant."""
    tasks, networks = variants(row.name), _references()
    found = {rules: levels(modcog.Battery(tasks, rules=rules)) for rules in RULES}
    head = (
        "Decision accuracy of a player who sees no stimulus, of an [ideal observer](../scores.md#ceiling)"
        f"{', and of reference networks' if networks else ''}. For the published rules, only the first two.\n"
    )
    columns = ["task", "chance", "ceiling", *(network.name for network in networks), "published: chance", "ceiling"]
    rows = [
        [
            task,
            *_percent(found["corrected"][task].decision_chance, found["corrected"][task].decision_ceiling),
            *(_percent(network.scores[task][0])[0] if task in network.scores else "–" for network in networks),
            *_percent(found["published"][task].decision_chance, found["published"][task].decision_ceiling),
        ]
        for task in tasks
    ]
    table = [columns, ["---"] * len(columns), *rows]
    protocols = "".join(f"\n{sentence}\n" for sentence in dict.fromkeys(map(_trained, networks)))
    return "\n".join([head, *("| " + " | ".join(cells) + " |" for cells in table), protocols])


def _percent(*shares: float) -> list[str]:
    return [f"{100 * share:.1f} %" for share in shares]


def _references() -> list[Reference]:
    """Return each stored network once, as it was trained on the most tasks."""
    found: dict[str, Reference] = {}
    for network in sorted(stored(), key=lambda one: len(one.scores)):
        found[network.name] = network
    return list(found.values())


def _trained(network: Reference) -> str:
    """Return a sentence on the training of a reference network, equal for networks that share a protocol."""
    settings = network.settings
    return (
        "The reference networks, of the [leaderboard](../leaderboard.md), learned "
        f"{len(network.scores)} tasks together, "
        f"in {settings['steps']:,} updates of {settings['batch_size']} trials; means of {len(network.seeds)} seeds, "
        f"{network.n_trials} trials of each task."
    )


def _try(row: modcog.Base) -> str:
    last = variants(row.name)[-1]
    return (
        f"```sh\nmodcog show {last} --plot {last}.png\n```\n\n"
        f'```python\nimport modcog\n\ntrials = modcog.Battery(["{row.name}", "{last}"]).sample(10, seed=0)\n```\n'
    )
