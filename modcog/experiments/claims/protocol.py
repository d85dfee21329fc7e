"""Training runs for each claim, as data: rules × recipes × networks, and the search for their learning rates.

``judged`` and ``search`` make the grids, of two presets: ``full``, which takes core hours, and ``small``, networks of a
quarter of the units, eight tasks and two seeds, for a look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isqrt
from typing import Any

from modcog.errors import ModcogError, unknown
from modcog.experiments.sweeps import Grid
from modcog.experiments.sweeps.grid import arm_name
from modcog.models import masks
from modcog.training.config import AUTHORS

COMMON: dict[str, Any] = {"model": {"init": "identity"}, "learning_rate": 0.004, "warmup": 300, "batch_size": 64}

FULL: dict[str, Any] = {**COMMON, "tasks": "modcog82", "steps": 8_000, "eval_every": 200}
"""The 82 tasks of the authors' code, 512,000 trials: three minutes for an LM-RNN of 256 units on one core."""

LOCAL = 0.08
"""Density of the LM-RNN where a claim names one network."""

ERDOS_RENYI: dict[str, Any] = {"model.self_connections": "drawn", "model.in_degree": "drawn"}
"""Options that make ``random`` the graph of Erdős and Rényi, which lacks most self-connections of an LM-RNN."""


def network(arch: str, hidden: int, density: float | None = None) -> dict[str, Any]:
    """Return an arm of a grid."""
    return {"arch": arch, "hidden": hidden, **({} if density is None else {"density": density})}


Arm = dict[str, Any]
"""Settings of a network, in which its runs differ from those of the other networks of a claim."""

RULES: dict[str, dict[str, Any]] = {rules: {"battery": {"rules": rules}} for rules in ("published", "corrected")}

RECIPES: dict[str, dict[str, Any]] = {"authors": AUTHORS, "modcog": {**FULL, "eval_early": True}}

EARLIER = "earlier"
"""Recipe of stored tables that were made before there were two recipes."""

FIRST_SCORE = {"authors": "last_step", "modcog": "decision", EARLIER: "decision"}
"""Measure that decides under each recipe."""

RULES_SAY = {
    "published": "Published rules: the trials of the authors' code, its errors P1 to P10 included.",
    "corrected": "Corrected rules: not the trials of the authors' code, whose errors are corrected.",
}

RECIPES_SAY = {
    "authors": "Recipe of the first author's notebook of 2021, from before Mod-Cog (the paper's may differ): streams "
    "of 4 × 100 steps, an open sheet, recurrent weights that start as 0.5 · identity, Adam at a constant rate, all "
    "steps alike in the loss. The accuracy at the last step decides.",
    "modcog": "Recipe of this package: batches of 64 trials, a torus, recurrent weights that start as the identity, "
    "Adam with warm-up and a cosine, decision steps five times in the loss. Decision accuracy decides.",
    EARLIER: "Earlier protocol of this package: its recipe with one learning rate for all networks of a claim, three "
    "seeds, and fewer networks. Decision accuracy decides.",
}

PRESETS = ("small", "full")

SEEDS_OF = {"small": (0, 1), "full": tuple(range(8))}
"""Seeds of the runs that a claim is judged by."""

SCALE_SEEDS = (0, 1, 2, 3)
"""Those of the full preset of ``"scale"``, whose largest networks take hours."""

SEARCH_SEEDS = (100,)
"""Seeds of the runs that choose the learning rate of each network."""

TIE_SEEDS = (101, 102)
"""Further seeds of a network's best learning rates, where these are close."""

_EIGHT = ["go", "dlygo", "goseqr", "dlygointr", "dms", "dmsintr", "dlydm1", "dlydm1intrseqr"]

SMALL: dict[str, dict[str, Any]] = {
    "authors": {"tasks": _EIGHT, "steps": 3_000, "eval_every": 250},
    "modcog": {"tasks": _EIGHT, "steps": 1_200, "eval_every": 100, "warmup": 100},
}
"""Settings of small runs."""

RATES = {
    "authors": (0.00025, 0.0005, 0.001, 0.002, 0.004),
    "modcog": (0.001, 0.002, 0.004, 0.008, 0.016),
}
"""Learning rates that every network is tried with; one that does best with the first or last is tried with more."""

DENSITIES = {
    "authors": (0.01, 0.02, 0.0323, 0.0836, 0.1423, 0.32, 0.45, 0.64),
    "modcog": (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.45, 0.64),
}
"""Densities of LM-RNNs below 100 %; on the authors' open sheet the third to fifth are those of d = 2, 3 and 4."""

LOCALS = {"authors": 0.0836, "modcog": LOCAL}
"""Density of the LM-RNN where a claim names one network."""

POOLS = {"small": (16, 64, 256), "full": (16, 32, 64, 128, 256, 512)}
"""Numbers of autapses in C1."""

SIZES = {"small": 64, "full": 256}
"""Number of units of a network, but in C1 and C5."""

UNITS = {"small": (64, 128), "full": (64, 128, 256, 512, 1024)}
"""Numbers of units over which the best density is followed."""

TASKS: dict[str, dict[str, Any]] = {"C1": {"tasks": "yang19", "eval_trials": 50}, "C2": {"tasks": "modcog132"}}
"""Settings of claims that are not about the 82 tasks."""

BUDGETS: dict[tuple[str, str], dict[str, Any]] = {("C2", "modcog"): {"steps": 16_000, "eval_every": 250}}
"""Settings of claims that need more updates than the recipe has."""


def arms(claim: str, recipe: str, preset: str = "full") -> list[Arm]:
    """Return the networks of a claim, C1 to C5, or of ``"scale"``.

    Raises:
        UnknownNameError: if there is no such claim, recipe or preset.
    """
    for kind, name, known in (("recipe", recipe, RECIPES), ("preset", preset, PRESETS)):
        if name not in known:
            raise unknown(kind, name, known)
    local, n, pools = LOCALS[recipe], SIZES[preset], POOLS[preset]
    match claim:
        case "C1":
            n_inputs, n_outputs = 33 + 20, 17
            rest = n_inputs + n_outputs + 1  # parameters of a unit but for its recurrent weights
            as_large = {pool: (isqrt(rest**2 + 4 * pool * (rest + 1)) - rest + 1) // 2 for pool in pools}
            dense = dict.fromkeys([*pools, *as_large.values()])
            return [
                *(network("autapse", pool) for pool in pools),
                *(network("dense", units) for units in sorted(dense)),
            ]
        case "C2":
            return [network("lm-rnn", n, local), network("autapse", n)]
        case "C3":
            return _of_size(n, DENSITIES[recipe])
        case "C4":
            return _controls(n, local, _near(n, local, recipe).density)
        case "C5":
            middle = max(n, 128)  # with fewer units a sheet has no room for the smallest of the three
            local_ones = [network("lm-rnn", m, local * middle**2 / m**2) for m in (middle // 2, middle, 2 * middle)]
            return [*local_ones, network("dense", round(_near(middle, local, recipe).synapses ** 0.5))]
        case "scale":
            few = DENSITIES[recipe][::2]  # 1, 4, 16 and 45 %, where a run takes long
            return [arm for m in UNITS[preset] for arm in _of_size(m, few if m > 256 else DENSITIES[recipe])]
    raise unknown("claim", claim, ["C1", "C2", "C3", "C4", "C5", "scale"])


def _near(n: int, density: float, recipe: str) -> masks.Mask:
    """Return the mask of an LM-RNN."""
    return masks.locality(n, density=density, torus=RECIPES[recipe]["model"].get("torus", True))


def _controls(n: int, density: float, exact: float) -> list[Arm]:
    """Return the LM-RNN of C4 and the networks that differ from it, all with as many synapses.

    Where the number of inputs is drawn, that takes the ``exact`` density, the one which the LM-RNN reaches.
    """
    small_worlds = [network("small-world", n, density) | {"model.rewired": share} for share in (0.01, 0.1, 1.0)]
    return [
        *(network(arch, n, density) for arch in ("lm-rnn", "shuffled", "reciprocal", "random")),
        *small_worlds,
        network("random", n, density) | {"model.self_connections": "none"},
        network("random", n, exact) | {"model.in_degree": "drawn"},
        network("random", n, exact) | ERDOS_RENYI,
    ]


def _of_size(n: int, densities: Sequence[float]) -> list[Arm]:
    """Return LM-RNNs of n units whose density leaves them neighbours, and the dense network."""
    return [*(network("lm-rnn", n, density) for density in densities if density * n > 2), network("dense", n)]


def settings(claim: str, rules: str, recipe: str, preset: str = "full") -> dict[str, Any]:
    """Return the settings that all runs of a claim share.

    Raises:
        UnknownNameError: if there are no such rules or no such recipe or preset.
    """
    for kind, name, known in (("rules", rules, RULES), ("recipe", recipe, RECIPES), ("preset", preset, PRESETS)):
        if name not in known:
            raise unknown(kind, name, known)
    found = RECIPES[recipe] | RULES[rules]
    if preset == "full":
        return found | TASKS.get(claim, {}) | BUDGETS.get((claim, recipe), {})
    return found | SMALL[recipe] | (TASKS["C1"] if claim == "C1" else {})


def name_of(arm: Mapping[str, Any]) -> str:
    """Return the name that tables have for an arm."""
    options = {name.removeprefix("model."): value for name, value in arm.items() if name.startswith("model.")}
    return arm_name(arm["arch"], arm.get("density"), arm["hidden"], options)


def judged(
    claim: str,
    rules: str,
    recipe: str,
    rates: Mapping[str, float] | None = None,
    preset: str = "full",
    seeds: Sequence[int] | None = None,
) -> Grid:
    """Return the grid that a claim is judged by.

    Args:
        claim: C1 … C5, or ``"scale"``.
        rules: a name in ``RULES``.
        recipe: a name in ``RECIPES``.
        rates: learning rate of each arm, as ``best_rates`` returns them; None: that of the recipe.
        preset: a name in ``PRESETS``.
        seeds: seeds of the runs; None: those of the preset.

    Raises:
        UnknownNameError: for a name that does not exist.
        ModcogError: if ``rates`` lacks an arm.
    """
    networks = arms(claim, recipe, preset)
    if rates is not None:
        if lacking := [name for arm in networks if (name := name_of(arm)) not in rates]:
            raise ModcogError(f"rates: no learning rate of {', '.join(lacking)}")
        networks = [{**arm, "learning_rate": rates[name_of(arm)]} for arm in networks]
    if seeds is None:
        seeds = SCALE_SEEDS if (claim, preset) == ("scale", "full") else SEEDS_OF[preset]
    return Grid(settings=settings(claim, rules, recipe, preset), arms=tuple(networks), axes={"seed": list(seeds)})


def search(
    claim: str,
    rules: str,
    recipe: str,
    preset: str = "full",
    further: Iterable[tuple[str, float, int]] | None = None,
) -> Grid:
    """Return the grid that chooses the learning rate of each arm of a claim: whole runs, of seeds that are not judged.

    Args:
        claim: C1 … C5, or ``"scale"``.
        rules: a name in ``RULES``.
        recipe: a name in ``RECIPES``.
        preset: a name in ``PRESETS``.
        further: only these runs, each the name of an arm, its learning rate and its seed; None: all arms with all
            ``RATES``.

    Raises:
        UnknownNameError: for a name that does not exist.
    """
    shared = settings(claim, rules, recipe, preset)
    shared |= {"eval_every": shared["steps"], "eval_early": False}
    networks = {name_of(arm): arm for arm in arms(claim, recipe, preset)}
    if further is None:
        axes: dict[str, list[Any]] = {"learning_rate": list(RATES[recipe]), "seed": list(SEARCH_SEEDS)}
        return Grid(settings=shared, arms=tuple(networks.values()), axes=axes)
    tried = [{**networks[name], "learning_rate": rate, "seed": seed} for name, rate, seed in further]
    return Grid(settings=shared, arms=tuple(tried))
