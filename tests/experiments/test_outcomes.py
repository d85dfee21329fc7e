"""Outcomes of runs: areas, crossings and survival by hand, and intervals that cover what they estimate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from modcog.errors import ModcogError
from modcog.experiments import outcomes
from modcog.experiments.estimate import Estimate

BUDGET = 1000.0


def test_the_area_weighs_every_factor_of_updates_alike() -> None:
    steps = [0, 100, 1_000, 10_000]
    assert outcomes.mean_over_log_updates(steps, [0, 0.5, 0.5, 0.5]) == pytest.approx(0.5)
    # a line from 0 to 1 over the first factor of ten, then 1: half of it is worth ½, the other half 1
    assert outcomes.mean_over_log_updates(steps, [0, 0, 1, 1]) == pytest.approx(0.75)
    # between two evaluations, the value at the first update that counts is interpolated
    assert outcomes.mean_over_log_updates([0, 200], [0, 1]) == pytest.approx(0.75)
    assert np.isnan(outcomes.mean_over_log_updates([0, 50], [0, 1]))


def test_a_crossing_is_interpolated() -> None:
    assert outcomes.first_crossing([0, 10, 20], [0.0, 0.4, 0.8], 0.5) == pytest.approx(12.5)
    assert outcomes.first_crossing([0, 10, 20], [0.0, 0.6, 0.3], 0.6) == pytest.approx(10)
    assert outcomes.first_crossing([5, 10], [0.7, 0.8], 0.5) == 5
    assert np.isnan(outcomes.first_crossing([0, 10], [0.1, 0.2], 0.5))


def test_survival_by_hand() -> None:
    found = outcomes.survival(pd.Series([200.0, np.nan, 400.0, 400.0]), pd.Series([BUDGET] * 4))
    assert dict(zip(found.trials, found.not_yet, strict=True)) == {200: 0.75, 400: 0.25, 1000: 0.25}
    assert found.restricted == (200 + 400 + 400 + 1000) / 4
    assert (found.reached, found.n) == (3, 4)


def simulate(rng: np.random.Generator, seeds: int, faster: float, scale: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw trials to an accuracy of paired runs, log-normal, that end after a budget."""
    shared = rng.normal(0, 0.2, seeds)
    tables = []
    for factor in (faster, 1.0):
        trials = scale * factor * np.exp(shared + rng.normal(0, 0.25, seeds))
        reached = np.where(trials <= BUDGET, trials, np.nan)
        tables.append(pd.DataFrame({"trials_to_75": reached, "trials": BUDGET}))
    return tables[0], tables[1]


def test_survival_of_many_runs_is_that_of_the_distribution_they_came_from() -> None:
    one, _ = simulate(np.random.default_rng(0), 20_000, 1.0, 800)
    found = outcomes.survival(one["trials_to_75"], one["trials"])
    sd = np.hypot(0.2, 0.25)
    for trials in (500, 800, 950):
        share = found.not_yet[np.searchsorted(found.trials, trials, side="right") - 1]
        assert share == pytest.approx(stats.lognorm(sd, scale=800).sf(trials), abs=0.01)


@pytest.mark.parametrize("scale", [500, 900])  # hardly any, and about a quarter of the runs end too early
def test_intervals_of_restricted_ratios_cover_the_truth(scale: float) -> None:
    rng = np.random.default_rng(int(scale))
    one, other = simulate(rng, 400_000, 0.8, scale)
    truth = outcomes.restricted_ratio(one, other, "trials_to_75").mean
    drawn = (outcomes.restricted_ratio(*simulate(rng, 8, 0.8, scale), "trials_to_75") for _ in range(2_000))
    covered = np.mean([found.low <= truth <= found.high for found in drawn])
    assert 0.93 <= covered <= 0.97


def test_there_is_no_ratio_to_what_few_runs_reached() -> None:
    """With trials that most runs would need more of than they have, an interval would cover the truth in 90 %."""
    cells = table({"a": [0.5] * 8, "b": [0.4] * 8})
    cells.loc[cells.index[:3], "trials_to_75"] = 900.0
    assert list(outcomes.compare(cells, "a", "b").trials) == [50]
    cells.loc[cells.index[:6], "trials_to_75"] = 900.0
    assert list(outcomes.compare(cells, "a", "b").trials) == [50, 75]


def test_p_values_are_those_of_scipy() -> None:
    values = np.random.default_rng(3).normal(0.4, 1, 8)
    assert Estimate.of(values).p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert np.isnan(Estimate.of([0.3]).p)


def test_holm_by_hand() -> None:
    # 0.01 × 3; 0.02 × 2; 0.03 × 1, but never below the one before
    assert outcomes.holm([0.03, np.nan, 0.01, 0.02]) == pytest.approx([0.04, np.nan, 0.03, 0.04], nan_ok=True)
    assert outcomes.holm([0.9, 0.8]) == [1.0, 1.0]


def test_holm_keeps_the_rate_of_any_false_finding() -> None:
    rng = np.random.default_rng(0)
    wrong = np.mean([min(outcomes.holm(rng.random(5))) < 0.05 for _ in range(4_000)])
    assert wrong == pytest.approx(0.05, abs=0.012)


def table(values: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        {"arm": arm, "seed": seed, "at_end": value, "area": value / 2, "trials": BUDGET, "trials_to_50": BUDGET / 2,
         "trials_to_75": np.nan, "trials_to_90": np.nan}
        for arm, of_seeds in values.items() for seed, value in enumerate(of_seeds)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_what_half_of_the_seeds_picks_the_other_half_judges() -> None:
    cells = table({"a": [9, 0, 9, 0], "b": [1, 5, 1, 5], "dense": [0, 0, 0, 0]})
    found = outcomes.pick_by_half(cells, ["a", "b"], "dense")
    assert found.to_dict() == {0: "b", 1: "a", 2: "b", 3: "a"}  # by seeds 1 and 3, and by 0 and 2
    with pytest.raises(ModcogError, match="4 are needed"):
        outcomes.pick_by_half(cells[cells["seed"] < 3], ["a", "b"], "dense")
    with pytest.raises(ModcogError, match="no run of a seed that others have"):
        outcomes.pick_by_half(cells.drop(index=5), ["a", "b"], "dense")


def test_the_best_of_equal_arms_is_no_better_than_they_are() -> None:
    """Picked and judged on the same runs, the best of nine equal arms would be about one standard deviation above."""
    rng = np.random.default_rng(0)
    arms = [f"arm {k}" for k in range(9)]
    gaps = []
    for _ in range(150):
        cells = table({arm: rng.normal(size=8).tolist() for arm in (*arms, "x")})
        ends = cells.set_index(["arm", "seed"])["at_end"]
        picks = outcomes.pick_by_half(cells, arms, "x")
        gaps.append(np.mean([ends[arm, seed] - ends["x", seed] for seed, arm in picks.items()]))
    assert np.mean(gaps) == pytest.approx(0, abs=0.12)


def test_arms_are_compared_seed_by_seed() -> None:
    cells = table({"a": [0.6, 0.9, 0.7], "b": [0.5, 0.8, 0.6]})
    found = outcomes.compare(cells, "a", "b")
    assert found.at_end.mean == pytest.approx(0.1)
    assert found.at_end.low == pytest.approx(0.1)
    assert found.area.mean == pytest.approx(0.05)
    assert found.reached == {50: (3, 3), 75: (0, 0), 90: (0, 0)}
    assert found.trials[50].mean == pytest.approx(1)
    assert list(found.trials) == [50]  # no run reached the others
    with pytest.raises(ModcogError, match="one run each"):
        outcomes.compare(pd.concat([cells, cells]), "a", "b")
    with pytest.raises(ModcogError, match="a has the seeds 0, 1, 2, b has 1, 2"):
        outcomes.compare(cells[(cells["arm"] == "a") | (cells["seed"] > 0)], "a", "b")


def test_outcomes_of_a_run() -> None:
    results = pd.DataFrame(
        {
            "cell": ["x", "x", "y"],
            "task": ["go", "dm1", None],
            "decision_accuracy": [0.9, 0.7, np.nan],
            "decision_ceiling": [1.0, 0.8, np.nan],
            "trials": [400, 400, 0],
        }
    )
    curves = pd.DataFrame(
        {"cell": "x", "step": [0, 100, 200], "trials": [0, 200, 400], "decision_accuracy": [0.0, 0.4, 0.8]}
    )
    (row,) = outcomes.outcomes(results, curves).to_dict("records")
    assert row["at_end"] == pytest.approx(0.8)
    assert row["lowest"] == 0.7
    assert row["share"] == pytest.approx(0.8 / 0.9)
    assert row["area"] == pytest.approx(0.6)
    assert row["trials_to_50"] == pytest.approx(200 + 200 * 0.05 / 0.4)
    assert np.isnan(row["trials_to_90"])
    stored = results.assign(trials_to_50=pd.array([100, 100, None], "Int64"))  # of held-out trials, in whole numbers
    assert outcomes.outcomes(stored, curves)["trials_to_50"].tolist() == pytest.approx([row["trials_to_50"]])
    with pytest.raises(ModcogError, match="no row of this run"):
        outcomes.outcomes(results, curves[curves["cell"] == "z"])
