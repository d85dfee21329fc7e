"""The protocol: what is trained differs in what it should, and learning rates are chosen inside what was tried."""

from __future__ import annotations

import itertools
from collections import Counter

import pandas as pd
import pytest
import torch

from modcog import ModcogError, UnknownNameError
from modcog.experiments.claims import protocol
from modcog.experiments.claims.protocol import (
    DENSITIES,
    RECIPES,
    RULES,
    arms,
    judged,
)
from modcog.experiments.claims.rates import best_rates, missing_runs, search_table
from modcog.experiments.sweeps import Grid
from modcog.experiments.sweeps.results import results
from modcog.experiments.sweeps.runner import sweep
from modcog.models import build, masks, measure
from modcog.models.graph import measure_graph
from modcog.training.config import AUTHORS, TrainConfig
from modcog.training.duration import training_seconds
from modcog.training.run import build_model

CLAIMS = ("C1", "C2", "C3", "C4", "C5", "scale")
ALL = list(itertools.product(CLAIMS, RULES, RECIPES))


def networks(claim: str, recipe: str, preset: str = "full") -> dict[str, torch.nn.Module]:
    """Return the network of each arm by the arm's name."""
    from modcog.battery import Battery

    grid = judged(claim, "corrected", recipe, preset=preset)
    cells = grid.model_copy(update={"axes": {"seed": [0]}}).cells("nowhere")
    battery = Battery.from_config(cells[0].config.battery_settings())
    names = [protocol.name_of(arm) for arm in arms(claim, recipe, preset)]
    return {name: build_model(cell.config, battery) for name, cell in zip(names, cells, strict=True)}


@pytest.mark.parametrize(("claim", "rules", "recipe"), ALL)
def test_grids_are_rules_by_recipes_and_differ_in_nothing_else(claim: str, rules: str, recipe: str) -> None:
    cells = judged(claim, rules, recipe).cells("nowhere")
    seeds = {cell.config.seed for cell in cells}
    assert seeds == set(range(4 if claim == "scale" else 8))
    assert len(cells) == len(seeds) * len(arms(claim, recipe))
    for cell in cells:
        config = cell.config
        assert config.battery_settings().rules == rules
        assert (config.layout == "stream") == (recipe == "authors")
        assert config.learning_rate == RECIPES[recipe]["learning_rate"]
        assert config.eval_early
    shared = [cell.config.model_dump(exclude={"arch", "hidden", "density", "model", "seed", "out"}) for cell in cells]
    assert all(one == shared[0] for one in shared)
    searched = protocol.search(claim, rules, recipe).cells("nowhere")
    assert not {cell.config.seed for cell in searched} & seeds
    rates = protocol.RATES[recipe]
    assert Counter(cell.config.learning_rate for cell in searched) == dict.fromkeys(rates, len(arms(claim, recipe)))
    assert {cell.config.steps for cell in searched} == {cells[0].config.steps}


def test_the_authors_recipe_is_that_of_the_presets() -> None:
    preset = TrainConfig.of("authors-d2", battery={"rules": "published"}).model_dump(exclude={"model"})
    (cell, *_) = judged("C3", "published", "authors").cells("nowhere")
    assert cell.config.model_dump(exclude={"model", "density", "out", "threads"}) == {
        name: value for name, value in preset.items() if name not in ("density", "out", "threads")
    }
    assert cell.config.model == AUTHORS["model"]
    for d, density in zip((2, 3, 4), DENSITIES["authors"][2:5], strict=True):
        by_density = masks.locality(256, density=density, torus=False)
        assert by_density.fingerprint == masks.locality(256, radius=d - 0.1, torus=False).fingerprint


@pytest.mark.parametrize("recipe", RECIPES)
def test_densities_go_up_to_the_dense_network(recipe: str) -> None:
    found = {name: model.mask.density for name, model in networks("C3", recipe).items()}
    assert len(found) == 9
    assert list(found.values()) == sorted(found.values())
    for wanted, density in zip((*DENSITIES[recipe], 1), found.values(), strict=True):
        assert density == pytest.approx(wanted, abs=0.005)


@pytest.mark.parametrize("preset", protocol.PRESETS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_all_controls_have_the_synapses_of_the_lm_rnn(recipe: str, preset: str) -> None:
    found = networks("C4", recipe, preset)
    assert len(found) == 10
    graphs = {name: measure_graph(model.mask) for name, model in found.items()}
    assert len({graph.synapses for graph in graphs.values()}) == 1
    with_self = {name: graph.self_connections for name, graph in graphs.items()}
    assert sorted(with_self.values())[2:] == [protocol.SIZES[preset]] * 8
    assert sorted(with_self.values())[0] == 0


@pytest.mark.parametrize("preset", protocol.PRESETS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_networks_of_c5_have_the_same_number_of_synapses(recipe: str, preset: str) -> None:
    counts = [model.mask.synapses for model in networks("C5", recipe, preset).values()]
    assert max(counts) / min(counts) < (1.08 if preset == "full" else 1.2)


def test_pools_have_a_dense_network_of_as_many_units_and_one_of_as_many_parameters() -> None:
    found = {name: measure(model).parameters for name, model in networks("C1", "modcog").items()}
    dense = {int(name.split()[1]): count for name, count in found.items() if name.startswith("dense")}
    for n in protocol.POOLS["full"]:
        assert n in dense
        nearest = min(dense.values(), key=lambda count: abs(count - found[f"autapse {n}"]))
        assert nearest == pytest.approx(found[f"autapse {n}"], rel=0.05)


def test_scale_goes_to_1024_units_and_every_network_has_neighbours() -> None:
    for arm in arms("scale", "modcog"):
        options = {} if arm["arch"] == "dense" else {"density": arm["density"]}
        assert build(arm["arch"], 3, 2, hidden=arm["hidden"], **options).mask.degrees.min() > 1
    assert {arm["hidden"] for arm in arms("scale", "modcog")} == {64, 128, 256, 512, 1024}


def test_rates_go_to_their_arms() -> None:
    rates = {protocol.name_of(arm): protocol.RATES["modcog"][k % 5] for k, arm in enumerate(arms("C4", "modcog"))}
    cells = judged("C4", "published", "modcog", rates).cells("nowhere")
    assert [cell.config.learning_rate for cell in cells][::8] == list(rates.values())
    del rates["lm-rnn 8 % 256"]
    with pytest.raises(ModcogError, match="no learning rate of lm-rnn 8 % 256"):
        judged("C4", "published", "modcog", rates)


@pytest.mark.parametrize(("claim", "rules", "recipe"), ALL)
def test_small_runs_are_of_few_tasks_and_seeds(claim: str, rules: str, recipe: str) -> None:
    cells = judged(claim, rules, recipe, preset="small").cells("nowhere")
    assert {cell.config.seed for cell in cells} == {0, 1}
    assert {len(cell.config.tasks) for cell in cells} == {20 if claim == "C1" else 8}
    assert sum(training_seconds(cell.config) for cell in cells) < 900
    assert all(cell.config.battery_settings().rules == rules for cell in cells)


def test_claims_share_the_networks_that_they_both_need() -> None:
    cells = {claim: {cell.name for cell in judged(claim, "corrected", "modcog").cells("x")} for claim in CLAIMS}
    assert len(cells["C4"] & cells["C3"]) == 8
    assert len(cells["C5"] & cells["C3"]) == 8
    assert len(cells["scale"] & cells["C3"]) == 4 * 9


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: arms("C6", "modcog"), "unknown claim 'C6'"),
        (lambda: judged("C3", "publshed", "modcog"), "nearest: 'published'"),
        (lambda: protocol.search("C3", "published", "author"), "nearest: 'authors'"),
        (lambda: arms("C3", "modcog", "smal"), "nearest: 'small'"),
    ],
)
def test_unknown_names(call, said: str) -> None:
    with pytest.raises(UnknownNameError, match=said):
        call()


def made_up(scores: dict[float, tuple[float, ...]], arm: str = "a") -> pd.DataFrame:
    rows = [("published", "modcog", arm, rate, 100 + k, x) for rate, xs in scores.items() for k, x in enumerate(xs)]
    return pd.DataFrame(rows, columns=["rules", "recipe", "arm", "learning_rate", "seed", "score"])


def lacking(table: pd.DataFrame) -> list[tuple[str, float, int]]:
    return missing_runs(table, "published", "modcog")


def test_the_best_rate_is_that_of_the_highest_score_and_never_at_an_edge() -> None:
    inside = made_up({0.001: (0.1,), 0.002: (0.3,), 0.004: (0.4,), 0.008: (0.2,)})
    assert best_rates(inside, "published", "modcog") == {"a": 0.004}
    edges = pd.concat([inside[:3], made_up({0.1: (1.0,), 0.2: (0.0,)}, "b"), made_up({0.1: (0.5,)}, "inside")])
    with pytest.raises(ModcogError, match=r"search: not finished; it lacks a at 0\.008 with seed 100, and 2 more runs"):
        best_rates(edges, "published", "modcog")
    with pytest.raises(ModcogError, match="no run of recipe modcog under the rules corrected"):
        best_rates(inside, "corrected", "modcog")


def test_a_rate_at_the_edge_asks_for_the_next_one() -> None:
    inside = made_up({0.001: (0.1,), 0.002: (0.5,), 0.004: (0.3,)}, "inside")
    high = made_up({0.001: (0.1,), 0.002: (0.2,), 0.004: (0.3,)}, "high")
    low = made_up({0.001: (0.4,), 0.002: (0.2,), 0.004: (0.3,)}, "low")
    table = pd.concat([inside, high, low])
    further = lacking(table)
    assert further == [("high", 0.008, 100), ("low", 0.0005, 100)]
    table = pd.concat([table, *(made_up({rate: (0.0,)}, name) for name, rate, _ in further)])
    assert lacking(table) == []
    assert best_rates(table, "published", "modcog") == {"inside": 0.002, "high": 0.004, "low": 0.001}


def test_close_rates_are_tried_with_more_seeds_whose_mean_decides() -> None:
    """0.008 is out, whatever more seeds would say; some runs of the others may be there already."""
    table = made_up({0.0005: (0.4,), 0.001: (0.509,), 0.002: (0.505, 0.4), 0.004: (0.499,), 0.008: (0.488,)})
    table = pd.concat([table, made_up({0.001: (0.1,), 0.002: (0.2,), 0.004: (0.1,)}, "clear")])
    further = lacking(table)
    assert further == [
        ("a", 0.001, 101), ("a", 0.001, 102), ("a", 0.002, 102), ("a", 0.004, 101), ("a", 0.004, 102)
    ]  # fmt: skip
    wanted = [run[1:] for run in further]
    cells = protocol.search("C3", "published", "modcog", further=[("dense 256", *run) for run in wanted]).cells("runs")
    assert [(cell.config.learning_rate, cell.config.seed) for cell in cells] == wanted

    done = made_up({0.001: (0.509, 0.1, 0.1), 0.002: (0.505, 0.4, 0.6), 0.004: (0.499, 0.5, 0.6)})
    table = pd.concat([table, done]).drop_duplicates(["arm", "learning_rate", "seed"])
    assert lacking(table) == []
    assert best_rates(table, "published", "modcog") == {"a": 0.004, "clear": 0.002}
    with pytest.raises(ModcogError, match=r"not finished; it lacks a at 0\.002 with seed 102$"):
        best_rates(table[(table["seed"] != 102) | (table["learning_rate"] != 0.002)], "published", "modcog")
    lost = (table["arm"] == "a") & (table["learning_rate"] == 0.002) & (table["seed"] == 100)
    assert lacking(table[~lost]) == [("a", 0.002, 100)]


def test_close_rates_of_which_the_best_comes_to_the_edge_ask_for_the_next_one() -> None:
    table = made_up({0.001: (0.50, 0.6, 0.6), 0.002: (0.505, 0.5, 0.5), 0.004: (0.4,)})
    assert lacking(table) == [("a", 0.0005, 100)]
    table = pd.concat([table, made_up({0.0005: (0.501,)})])
    assert lacking(table) == [("a", 0.0005, 101), ("a", 0.0005, 102)]


def test_a_search_is_run_and_tabled(tmp_path) -> None:
    """Also with a run that diverges, which counts as 0."""
    values = {
        "tasks": ["go", "dm1"], "hidden": 9, "density": 0.6, "steps": 2, "batch_size": 8, "eval_every": 2,
        "eval_trials": 1, "battery": {"rules": "published"}, "clip": 0, "warmup": 0,
    }  # fmt: skip
    options = {"arch": "small-world", "model.rewired": 0.5}
    grid = Grid(settings=values, arms=(options,), axes={"learning_rate": [0.001, 1e30], "seed": [100]}, n_trials=4)
    table = search_table(results(sweep(grid, tmp_path, progress=False).records), "modcog")
    assert table[["rules", "recipe", "arm"]].drop_duplicates().to_numpy().tolist() == [
        ["published", "modcog", "small-world 60 % 9, rewired 0.5"]
    ]
    assert table["learning_rate"].tolist() == [0.001, 1e30]
    assert table["score"].iloc[1] == 0
    assert 0 <= table["score"].iloc[0] <= 1
