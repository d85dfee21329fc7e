"""Page of the controls of an LM-RNN: what the graph of each shares with that of the LM-RNN, measured."""

from __future__ import annotations

from modcog.models import masks
from modcog.models.graph import Graph, measure_graph

UNITS, DENSITY = 256, 0.08

_LM = masks.locality(UNITS, density=DENSITY)

_HEAD = f"""\
---
hide: [toc]
---

# Controls

An LM-RNN differs from a dense network in many things at once. To find which of them counts, compare it with a network
that shares all but one. Each mask below has {UNITS} units on a torus and a density of {100 * DENSITY:.0f} %, of which
a sheet allows {100 * _LM.density:.1f} %; the table was measured on it (seed 0) by
[`measure_graph`][modcog.models.graph.measure_graph].

"""

_TAIL = """
The degrees of a unit are its numbers of inputs and outputs, its self-connection included; the mean of both is that of
synapses a unit.
Reciprocity is the share of connections between different units whose reverse exists. Clustering is the share of
possible triangles that exist. Path length is the mean number of connections from one unit to another. Wiring is the
mean distance between connected units, in units of the sheet's spacing.

On an open sheet (`torus=False`) units near the border have fewer neighbours. `random`, `small-world` and `reciprocal`
then give each unit the number of inputs that it has in the LM-RNN; they take `radius` in place of `density`, too.

A unit without a self-connection starts without memory of its own if `init` is `identity` or `diagonal` and τ is dt,
because these initial weights are (nearly) nothing but self-connections. So a control without them tests two things.
"""

CONTROLS: dict[str, tuple[masks.Mask, str]] = {
    "`lm-rnn`": (_LM, "the network that the others are compared with."),
    "`shuffled`": (
        masks.shuffled(_LM),
        "differs in one thing: the places of the units, and so the length of the wires. The graph is the same. Places "
        "do not enter the computation, so it must learn as the LM-RNN does.",
    ),
    "`reciprocal`": (
        masks.reciprocal(UNITS, density=DENSITY),
        "differs in one thing: the neighbours of a unit are any units. All connections still go both ways, and every "
        "unit has as many; clustering and long paths, which come from locality, are gone.",
    ),
    **{
        f"`small-world`, `rewired={share:g}`": (
            masks.small_world(UNITS, density=DENSITY, rewired=share),
            f"differs in one thing: {100 * share:.0f} % of the connections between different units come from any unit.",
        )
        for share in (0.01, 0.1, 1)
    },
    "`random`": (
        masks.random(UNITS, density=DENSITY),
        "differs in one thing: the inputs from other units come from any units. Self-connections and numbers of inputs "
        "are those of the LM-RNN. (It is small-world with all connections rewired.) That takes away locality and "
        "reciprocity together; `reciprocal` keeps the latter.",
    ),
    '`random`, `self_connections="none"`': (
        masks.random(UNITS, density=DENSITY, self_connections="none"),
        "differs from `random` in one thing: the self-connections, in whose place are connections from other units.",
    ),
    '`random`, `in_degree="drawn"`': (
        masks.random(UNITS, density=_LM.density, in_degree="drawn"),
        "differs from `random` in one thing: units have different numbers of inputs. Give it the density that the "
        "LM-RNN reached, as here, to have as many synapses.",
    ),
    '`random`, both `"drawn"`': (
        masks.random(UNITS, density=_LM.density, self_connections="drawn", in_degree="drawn"),
        "the graph of Erdős and Rényi. It differs from the LM-RNN in three things: the inputs, their numbers and the "
        "self-connections.",
    ),
    "`dense`": (masks.dense(UNITS), "all connections exist: more synapses and inputs, and no locality."),
}
"""Mask and description of each control by its name and options."""

_COLUMNS = {
    "synapses": lambda g: f"{g.synapses:,}",
    "self-connections": lambda g: f"{g.self_connections}",
    "sd of degrees, in / out": lambda g: f"{g.in_degree_sd:.1f} / {g.out_degree_sd:.1f}",
    "reciprocity": lambda g: f"{g.reciprocity:.2f}",
    "clustering": lambda g: f"{g.clustering:.2f}",
    "path length": lambda g: f"{g.path_length:.2f}",
    "wiring": lambda g: f"{g.wiring_mean:.2f}",
}


def pages() -> dict[str, str]:
    """Return the page by its path within the site."""
    table = "\n".join([_row("network", list(_COLUMNS)), _row("---", ["---"] * len(_COLUMNS)), *map(_figures, CONTROLS)])
    sentences = "\n".join(f"- {name}: {sentence}" for name, (_, sentence) in CONTROLS.items())
    return {"controls.md": f"{_HEAD}{table}\n\n{sentences}\n{_TAIL}"}


def _figures(name: str) -> str:
    graph: Graph = measure_graph(CONTROLS[name][0])
    return _row(name, [column(graph) for column in _COLUMNS.values()])


def _row(name: str, cells: list[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"
