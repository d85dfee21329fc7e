"""Training runs for each claim, as data: rules × recipes × networks, and the search for their learning rates.

``judged`` and ``search`` make the grids. The presets of the claims are of an earlier protocol, with one learning rate
for all networks: of 0.001, 0.002, 0.004 and 0.008 the one that was best for the dense network after 2,500 updates on
132 tasks (seed 0); LM-RNNs and autapses do about as well with it as with 0.008. The page on results has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Any

from modcog.errors import ModcogError, unknown
from modcog.experiments.sweeps import Grid
from modcog.experiments.sweeps.grid import arm_name
from modcog.models import masks
from modcog.training.config import AUTHORS

SEEDS = [0, 1, 2]

COMMON: dict[str, Any] = {"model": {"init": "identity"}, "learning_rate": 0.004, "warmup": 300, "batch_size": 64}

FULL: dict[str, Any] = {**COMMON, "tasks": "modcog82", "steps": 8_000, "eval_every": 200}
"""The 82 tasks of the authors' code, 512,000 trials: three minutes for an LM-RNN of 256 units on one core."""

ALL_TASKS: dict[str, Any] = {**COMMON, "tasks": "modcog132", "steps": 16_000, "eval_every": 250}
"""132 tasks, 1,024,000 trials: five minutes for an LM-RNN of 256 units on one core."""

SMALL: dict[str, Any] = {
    **FULL,
    "tasks": ["go", "dlygo", "goseqr", "dlygointr", "dms", "dmsintr", "dlydm1", "dlydm1seqr"],
    "warmup": 100,
    "steps": 1_200,
    "eval_every": 100,
}
"""Eight tasks, 76,800 trials: seconds for a network of 64 units."""

LOCAL = 0.08
"""Density of the LM-RNN where a claim names one network."""

ERDOS_RENYI: dict[str, Any] = {"model.self_connections": "drawn", "model.in_degree": "drawn"}
"""Options that make ``random`` the graph of Erdős and Rényi, which lacks most self-connections of an LM-RNN."""


def network(arch: str, hidden: int, density: float | None = None) -> dict[str, Any]:
    """Return an arm of a grid."""
    return {"arch": arch, "hidden": hidden, **({} if density is None else {"density": density})}


def presets(
    small: list[dict[str, Any]], full: list[dict[str, Any]], settings: dict[str, Any] = FULL
) -> dict[str, Grid]:
    """Return the grids of a claim from the arms of each; ``settings`` are those of the full one."""
    return {
        "small": Grid(settings=SMALL, arms=tuple(small), axes={"seed": SEEDS[:2]}),
        "full": Grid(settings=settings, arms=tuple(full), axes={"seed": SEEDS}),
    }


Arm = dict[str, Any]
"""Settings of a network, in which its runs differ from those of the other networks of a claim."""

RULES: dict[str, dict[str, Any]] = {rules: {"battery": {"rules": rules}} for rules in ("published", "corrected")}

RECIPES: dict[str, dict[str, Any]] = {"authors": AUTHORS, "modcog": {**FULL, "eval_early": True}}

FIRST_SCORE = {"authors": "last_step_accuracy", "modcog": "decision_accuracy"}
"""Measure by which networks of each recipe are compared first."""

JUDGED_SEEDS, SEARCH_SEEDS = tuple(range(8)), (100, 101)
"""Seeds of the runs that a claim is judged by, and of those that choose the learning rate of each network."""

RATES = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016)
"""Learning rates that are searched."""

DENSITIES = {
    "authors": (0.01, 0.02, 0.0323, 0.0836, 0.1423, 0.32, 0.45, 0.64),
    "modcog": (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.45, 0.64),
}
"""Densities of LM-RNNs below 100 %; on the authors' open sheet the third to fifth are those of d = 2, 3 and 4."""

LOCALS = {"authors": 0.0836, "modcog": LOCAL}
"""Density of the LM-RNN where a claim names one network."""

POOLS = (16, 32, 64, 128, 256, 512)
"""Numbers of autapses in C1."""

UNITS = (64, 128, 256, 512, 1024)
"""Numbers of units over which the best density is followed."""

TASKS: dict[str, dict[str, Any]] = {"C1": {"tasks": "yang19", "eval_trials": 50}, "C2": {"tasks": "modcog132"}}
"""Settings of claims that are not about the 82 tasks."""

BUDGETS: dict[tuple[str, str], dict[str, Any]] = {("C2", "modcog"): {"steps": 16_000, "eval_every": 250}}
"""Settings of claims that need more updates than the recipe has."""


def arms(claim: str, recipe: str) -> list[Arm]:
    """Return the networks of a claim, C1 to C5, or of ``"scale"``.

    Raises:
        UnknownNameError: if there is no such claim or recipe.
    """
    if recipe not in RECIPES:
        raise unknown("recipe", recipe, RECIPES)
    local = LOCALS[recipe]
    near = masks.locality(256, density=local, torus=RECIPES[recipe]["model"].get("torus", True))
    match claim:
        case "C1":
            n_inputs, n_outputs = 33 + 20, 17
            rest = n_inputs + n_outputs + 1  # parameters of a unit but for its recurrent weights
            as_large = {n: (isqrt(rest**2 + 4 * n * (rest + 1)) - rest + 1) // 2 for n in POOLS}
            dense = dict.fromkeys([*POOLS, *as_large.values()])
            return [*(network("autapse", n) for n in POOLS), *(network("dense", n) for n in sorted(dense))]
        case "C2":
            return [network("lm-rnn", 256, local), network("autapse", 256)]
        case "C3":
            return [*(network("lm-rnn", 256, density) for density in DENSITIES[recipe]), network("dense", 256)]
        case "C4":
            return _controls(local, near.density)
        case "C5":
            local_ones = [network("lm-rnn", n, local * 256**2 / n**2) for n in (128, 256, 512)]
            return [*local_ones, network("dense", round(near.synapses**0.5))]
        case "scale":
            return [arm for n in UNITS for arm in _of_size(n, DENSITIES[recipe])]
    raise unknown("claim", claim, ["C1", "C2", "C3", "C4", "C5", "scale"])


def _controls(density: float, exact: float) -> list[Arm]:
    """Return the LM-RNN of C4 and the networks that differ from it, all with as many synapses.

    Where the number of inputs is drawn, that takes the ``exact`` density, the one which the LM-RNN reaches.
    """
    small_worlds = [network("small-world", 256, density) | {"model.rewired": share} for share in (0.01, 0.1, 1.0)]
    return [
        *(network(arch, 256, density) for arch in ("lm-rnn", "shuffled", "reciprocal", "random")),
        *small_worlds,
        network("random", 256, density) | {"model.self_connections": "none"},
        network("random", 256, exact) | {"model.in_degree": "drawn"},
        network("random", 256, exact) | ERDOS_RENYI,
    ]


def _of_size(n: int, densities: Sequence[float]) -> list[Arm]:
    """Return LM-RNNs of n units whose density leaves them neighbours, and the dense network."""
    return [*(network("lm-rnn", n, density) for density in densities if density * n > 2), network("dense", n)]


def settings(claim: str, rules: str, recipe: str) -> dict[str, Any]:
    """Return the settings that all runs of a claim share.

    Raises:
        UnknownNameError: if there are no such rules or no such recipe.
    """
    for kind, name, known in (("rules", rules, RULES), ("recipe", recipe, RECIPES)):
        if name not in known:
            raise unknown(kind, name, known)
    return RECIPES[recipe] | RULES[rules] | TASKS.get(claim, {}) | BUDGETS.get((claim, recipe), {})


def name_of(arm: Mapping[str, Any]) -> str:
    """Return the name that tables have for an arm."""
    options = {name.removeprefix("model."): value for name, value in arm.items() if name.startswith("model.")}
    return arm_name(arm["arch"], arm.get("density"), arm["hidden"], options)


def judged(
    claim: str,
    rules: str,
    recipe: str,
    rates: Mapping[str, float] | None = None,
    seeds: Sequence[int] = JUDGED_SEEDS,
) -> Grid:
    """Return the grid that a claim is judged by.

    Args:
        claim: C1 … C5, or ``"scale"``.
        rules: a name in ``RULES``.
        recipe: a name in ``RECIPES``.
        rates: learning rate of each arm, as ``best_rates`` returns them; None: that of the recipe.
        seeds: seeds of the runs.

    Raises:
        UnknownNameError: for a name that does not exist.
        ModcogError: if ``rates`` lacks an arm.
    """
    networks = arms(claim, recipe)
    if rates is not None:
        if lacking := [name for arm in networks if (name := name_of(arm)) not in rates]:
            raise ModcogError(f"rates: no learning rate of {', '.join(lacking)}")
        networks = [{**arm, "learning_rate": rates[name_of(arm)]} for arm in networks]
    return Grid(settings=settings(claim, rules, recipe), arms=tuple(networks), axes={"seed": list(seeds)})


def search(claim: str, rules: str, recipe: str) -> Grid:
    """Return the grid that chooses the learning rate of each arm of a claim, on seeds that are not judged.

    Raises:
        UnknownNameError: for a name that does not exist.
    """
    axes: dict[str, list[Any]] = {"learning_rate": list(RATES), "seed": list(SEARCH_SEEDS)}
    return Grid(settings=settings(claim, rules, recipe), arms=tuple(arms(claim, recipe)), axes=axes)
