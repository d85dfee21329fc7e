"""Verdicts on tables whose truth is known: parts hold, fail or stay open as the numbers in them do."""

from __future__ import annotations

from dataclasses import replace
from math import log2
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up import EIGHT, STEPS, Arm, Learner, runs
from matplotlib.figure import Figure

from modcog import TASKS, Battery
from modcog.errors import ModcogError
from modcog.experiments.claims import CLAIMS, protocol
from modcog.experiments.claims.claim import Claim, Contrast, Part, Ruling, Runs, decide
from modcog.experiments.claims.pages import caveats, rates_doubt
from modcog.experiments.claims.rule_errors import as_rows, compare_rules, conclusion, errors_of, group_of, other_rates
from modcog.experiments.claims.scale import best_densities, table

YES, NO, OPEN, UNJUDGED = "holds", "does not hold", "cannot tell", "not judged"

CLAIM_NAMES = ("C1", "C2", "C3", "C4", "C5")


def rulings(claim: str, *args: Any, **options: Any) -> dict[str, Ruling]:
    """The rulings on a claim by a made-up table."""
    return {ruling.part: ruling for ruling in decide(CLAIMS[claim], runs(claim, *args, **options))}


def answers(claim: str, *args: Any, **options: Any) -> list[str]:
    return [ruling.answer for ruling in rulings(claim, *args, **options).values()]


def by_arch(**means: float) -> Learner:
    return lambda arm, task: means[arm["arch"].replace("-", "_")]


class TestC1:
    def test_the_smallest_pool_that_solves_the_tasks_is_named(self) -> None:
        found = rulings("C1", lambda arm, task: 0.99 if arm["arch"] == "dense" or arm["hidden"] >= 64 else 0.7)
        assert found["C1a"].answer == YES
        assert found["C1a"].because.endswith("the first is 64 autapses, share of the ceiling.")
        assert found["C1b"].answer == YES
        assert found["C1c"].answer == NO  # 16 and 32 autapses are far behind
        assert len(found["C1c"].numbers) == len(found["C1d"].numbers) == 6

    @pytest.mark.parametrize(("mean", "answer"), [(0.99, YES), (0.90, NO), (0.95, OPEN)])
    def test_the_mean(self, mean: float, answer: str) -> None:
        assert answers("C1", by_arch(autapse=mean, dense=mean))[0] == answer

    @pytest.mark.parametrize(("lowest", "answer"), [(0.9, YES), (0.5, NO), (0.8, OPEN)])
    def test_a_task_left_out(self, lowest: float, answer: str) -> None:
        found = answers("C1", lambda arm, task: lowest if task == "dms" else 0.99)
        assert found[1] == answer

    @pytest.mark.parametrize(("dense", "answer"), [(0.97, YES), (0.9, YES), (0.975, OPEN + "?"), (1.0, NO)])
    def test_dense_networks(self, dense: float, answer: str) -> None:
        """Within two points is as well; at two points nobody can tell."""
        if answer == OPEN + "?":
            found = answers("C1", by_arch(autapse=0.955, dense=dense), noise=0.02)
            assert found[2:] == [OPEN, OPEN]
        else:
            assert answers("C1", by_arch(autapse=0.97 if answer == YES else 0.95, dense=dense))[2:] == [answer, answer]

    @pytest.mark.parametrize(("lost", "reason"), [
        (("autapse", 512), "The tables have pools of 16, 32, 64, 128, 256 autapses, not all."),
        (("dense", 512), "The units of dense 256 are 256, of autapse 512 512."),
    ])  # fmt: skip
    def test_every_size_is_asked_for(self, lost: tuple[str, int], reason: str) -> None:
        arms = [arm for arm in protocol.arms("C1", "modcog") if (arm["arch"], arm["hidden"]) != lost]
        found = rulings("C1", by_arch(autapse=0.99, dense=0.99), arms=arms)
        assert (found["C1c"].answer, found["C1c"].because) == (UNJUDGED, reason)

    def test_without_dense_networks(self) -> None:
        pools = [arm for arm in protocol.arms("C1", "modcog") if arm["arch"] == "autapse"]
        found = rulings("C1", by_arch(autapse=0.99), arms=pools)
        assert [ruling.answer for ruling in found.values()] == [YES, YES, UNJUDGED, UNJUDGED]
        assert found["C1c"].because == "The tables have no run of dense."


def extended(task: str) -> bool:
    return task.endswith(("r", "l"))


class TestC2:
    def test_it_holds_where_autapses_fail_and_the_other_does_not(self) -> None:
        found = rulings("C2", lambda arm, task: 0.2 if extended(task) and arm["arch"] == "autapse" else 0.9)
        assert [ruling.answer for ruling in found.values()] == [YES, YES, YES]
        assert found["C2a"].numbers[0]["mean"] == pytest.approx(0.7, abs=0.01)
        assert found["C2a"].beside[0].startswith("There is no group of extended tasks on which autapses do well")

    def test_better_on_all_but_failing_on_few(self) -> None:
        assert answers("C2", by_arch(lm_rnn=0.9, autapse=0.7)) == [YES, NO, YES]

    def test_the_other_way_round(self) -> None:
        found = rulings("C2", by_arch(lm_rnn=0.3, autapse=0.9))
        assert [ruling.answer for ruling in found.values()] == [NO, UNJUDGED, NO]
        assert found["C2b"].because == "An LM-RNN fails on all interval tasks, too."

    def test_alike(self) -> None:
        # Autapses fail on no task; but eight equal values are not significant by a sign test among seven comparisons.
        assert answers("C2", by_arch(lm_rnn=0.9, autapse=0.9)) == [OPEN, OPEN, OPEN]

    def test_half_of_the_tasks(self) -> None:
        def accuracy(arm: Arm, task: str) -> float:
            return 0.5 if arm["arch"] == "autapse" else 0.9  # on the line: which side is chance

        assert answers("C2", accuracy, noise=0.01)[1] == OPEN

    def test_one_extension_that_is_no_better_fails_the_part(self) -> None:
        def accuracy(arm: Arm, task: str) -> float:
            return 0.6 if (arm["arch"] == "autapse") == ("seq" not in task) else 0.9

        assert answers("C2", accuracy)[2] == NO

    def test_where_either_network_fails_is_said(self) -> None:
        def accuracy(arm: Arm, task: str) -> float:
            return 0.2 if task == "dlydm1seqr" or (arm["arch"] == "autapse" and extended(task)) else 0.9

        head, *rows = rulings("C2", accuracy, tasks=[*EIGHT, "dlydm1seqr"])["C2b"].table
        assert head == ["tasks", "number", "the LM-RNN fails on", "autapses fail on"]
        assert {row[0]: row[1:] for row in rows}["decision × sequence"] == ["1", "1.0", "1.0"]
        assert {row[0]: row[1:] for row in rows}["match × interval"] == ["1", "0.0", "1.0"]
        assert {row[0]: row[1:] for row in rows}["go × base"] == ["2", "0.0", "0.0"]

    def test_one_network_alone_is_drawn_and_not_judged(self) -> None:
        made = runs("C2", by_arch(lm_rnn=0.9), arms=protocol.arms("C2", "modcog")[:1])
        CLAIMS["C2"].draw(list(Figure().subplots(1, 2)), made)
        assert {ruling.answer for ruling in decide(CLAIMS["C2"], made)} == {UNJUDGED}

    def test_what_autapses_do_well_and_what_they_lack_is_said(self) -> None:
        def accuracy(arm: Arm, task: str) -> float:
            if arm["arch"] == "lm-rnn" or task == "goseqr":
                return 0.95
            return {"dlygointr": 0.08, "dlydm1": 0.48}.get(task, 0.9)

        tasks = ["go", "dlygo", "goseqr", "dlygointr", "dlydm1", "dmsintrseqr"]
        found = rulings("C2", accuracy, tasks=tasks)["C2a"]
        text, _ = found.beside
        assert text.startswith("Autapses do well on go × sequence: 9")
        lacking = {row[0]: row[-1] for row in found.table[1:]}
        assert lacking == {
            "go × base": "none of them",
            "go × sequence": "none of them",
            "go × interval": "no-clock",
            "decision × base": "no-comparison",
            "match × interval-sequence": "none of them",
        }

    def test_where_autapses_are_ahead_is_said(self) -> None:
        found = rulings("C2", lambda arm, task: 0.8 + 0.1 * ((task == "goseqr") == (arm["arch"] == "autapse")))
        (text,) = (text for text in found["C2a"].beside if "higher than the LM-RNN" in text)
        assert text.startswith("Autapses end higher than the LM-RNN on go × sequence, by 10.")

    @pytest.mark.parametrize("kind", ["interval", "sequence", "interval-sequence"])
    def test_an_extension_that_is_missing_leaves_all_parts_open(self, kind: str) -> None:
        made = runs("C2", lambda arm, task: 0.2 if extended(task) and arm["arch"] == "autapse" else 0.9)
        made = replace(made, results=made.results[made.results["extension"] != kind])
        found = decide(CLAIMS["C2"], made)
        assert {ruling.because for ruling in found} == {f"The tables have no {kind} tasks."}


def peak(best: float, by: float = 0.05) -> Learner:
    """Accuracy that falls with every doubling of the density away from ``best``."""
    return lambda arm, task: 0.9 - by * abs(log2(arm.get("density", 1) / best))


def faster(best: float) -> Any:
    """Updates that grow with every doubling of the density away from ``best``."""
    return lambda arm: 1_000 * (1 + abs(log2(arm.get("density", 1) / best)))


def searched(made: Runs, steps: int, best: float = 0.004) -> pd.DataFrame:
    """A search by runs of so many updates, in which all networks do best with a rate."""
    tried = [{"arm": arm, "learning_rate": best * factor, "score": 1 - abs(factor - 1)}
             for arm in made.cells["arm"].unique() for factor in (0.5, 1, 2)]  # fmt: skip
    return pd.DataFrame(tried).assign(rules=made.rules, recipe=made.recipe, seed=100, steps=steps)


class TestC3:
    @pytest.mark.parametrize("recipe", protocol.RECIPES)
    def test_a_best_density_that_learns_faster_than_dense(self, recipe: str) -> None:
        found = rulings("C3", peak(0.04), faster(0.04), recipe=recipe)
        assert [ruling.answer for ruling in found.values()] == [YES, YES, YES]
        assert (
            f"Picked lm-rnn {'4' if recipe == 'modcog' else '3.23'} % 256 against dense 256" in found["C3b"].deciding[1]
        )

    @pytest.mark.parametrize(("speed", "answer"), [(faster(1), NO), (faster(0.08), YES), (lambda arm: 4_000, OPEN)])
    def test_faster(self, speed: Any, answer: str) -> None:
        assert answers("C3", lambda arm, task: 0.8, speed)[0] == answer

    @pytest.mark.parametrize(
        ("accuracy", "answer"), [(peak(0.16), YES), (peak(1), NO), (peak(0.01), NO), (peak(0.04, 0), OPEN)]
    )
    def test_an_optimum_between_the_ends(self, accuracy: Learner, answer: str) -> None:
        assert answers("C3", accuracy)[1] == answer

    @pytest.mark.parametrize(("at_4", "learned_at", "answer"), [
        (0.9, 2_000, YES), (0.7, 2_000, NO), (0.8, 2_000, OPEN), (0.9, STEPS * 0.9 / 0.8, NO), (0.7, STEPS, NO),
    ])  # fmt: skip
    def test_at_4_percent(self, at_4: float, learned_at: float, answer: str) -> None:
        """Faster and higher; faster and lower, which fails; faster and alike; higher at the end alone; neither."""
        named = lambda arm: arm.get("density") == 0.04  # noqa: E731
        found = rulings(
            "C3", lambda arm, task: at_4 if named(arm) else 0.8, lambda arm: learned_at if named(arm) else 4_000
        )
        assert found["C3c"].answer == answer

    def test_early_learning_alone_is_not_faster(self) -> None:
        """The sparse networks are ahead for long, and take more trials to 75 % of the ceiling."""
        made = runs("C3", lambda arm, task: 0.8, lambda arm: STEPS)
        points = made.curves.merge(made.cells[["arch", "seed"]], left_on="cell", right_index=True)
        early = (points["arch"] == "lm-rnn") & (points["step"] < 4_000)
        late = (points["arch"] == "lm-rnn") & (points["step"] == 4_000)
        value = points["decision_accuracy"] + 0.3 * early - 0.005 * points["seed"]
        made = replace(made, curves=points.assign(decision_accuracy=value.where(~late, 0.3)))
        ends = made.curves["step"] == STEPS
        made.curves.loc[ends & (points["arch"] == "lm-rnn"), "decision_accuracy"] = 0.76
        found = decide(CLAIMS["C3"], made)[0]
        assert (found.answer, found.because) == (NO, "1 of 2 comparisons speak for it significantly, 1 against it.")
        area, trials = found.numbers
        assert area["mean"] > 0
        assert trials["mean"] > 1
        assert trials["unit"] == "ratio"

    def test_other_measures_judge_the_networks_that_the_deciding_one_picked(self) -> None:
        """By trial accuracy, 64 % would be picked."""
        made = runs("C3", peak(0.04), faster(0.04))
        trial = 0.9 - 0.05 * (made.results["density"].fillna(1) / 0.64).map(log2).abs()
        made = replace(made, results=made.results.assign(trial_accuracy=trial))
        ruling = decide(CLAIMS["C3"], made)[1]
        assert "Picked lm-rnn 4 % 256" in ruling.deciding[1]
        row = dict(zip(*(ruling.others[k] for k in (0, 2)), strict=True))
        expected = 100 * (0.9 - 0.2 - (0.9 - 0.05 * log2(1 / 0.64)))
        assert float(row["trial accuracy"].split()[0].replace("−", "-")) == pytest.approx(expected, abs=0.2)

    def test_a_comparison_that_a_measure_does_not_allow_is_a_dash_beside_the_other(self) -> None:
        ruling = decide(CLAIMS["C3"], runs("C3", peak(0.04), faster(0.04)))[0]
        head, on_the_way, trials = ruling.others
        column = head.index("angular error")
        assert "° [" in on_the_way[column]
        assert trials[column] == "–"

    def test_networks_of_other_sizes_are_not_compared(self) -> None:
        arms = protocol.arms("C3", "modcog")
        found = rulings("C3", peak(0.04), arms=[*arms[:-1], {**arms[-1], "hidden": 73}])
        assert {(one.answer, one.because) for one in found.values()} == {
            (UNJUDGED, "The units of lm-rnn 1 % 256 are 256, of dense 73 73.")
        }

    def test_only_large_differences_decide_where_whole_runs_did_not_choose_the_rates(self) -> None:
        made = runs("C3", peak(0.04, 0.03), faster(0.04))
        doubt = rates_doubt(made, searched(made, 2_000))
        assert "runs of 2,000 updates, not 8,000" in doubt
        found = decide(CLAIMS["C3"], made, doubt)
        assert [ruling.answer for ruling in found] == [OPEN, OPEN, YES]  # a ratio; 6 points above 1 %; 14 above dense
        assert found[0].because.endswith(f"1 of 2 comparisons speak for it significantly, 0 against it; {doubt}.")
        assert found[1].numbers[0]["adjusted"] == 1
        far = runs("C3", peak(1), faster(1))
        assert [one.answer for one in decide(CLAIMS["C3"], far, doubt)] == [NO, OPEN, NO]  # 64 % is 3 points below

    def test_a_search_that_lacks_runs_has_chosen_nothing(self) -> None:
        made = runs("C3", peak(0.16, 0.02), faster(0.16))
        table = searched(made, STEPS)
        assert rates_doubt(made, table) == ""
        assert "by more seeds (101, 102): none. Intervals" in " ".join(caveats(made, table))
        near = (table["arm"] == "dense 256") & (table["learning_rate"] == 0.008)
        table.loc[near, "score"] = 0.985
        assert "no finished search chose" in rates_doubt(made, table)
        assert "not chosen for each network" in " ".join(caveats(made, table))
        close = table[(table["arm"] == "dense 256") & (table["learning_rate"] >= 0.004)]
        table = pd.concat([table, *(close.assign(seed=seed) for seed in (101, 102))])
        assert rates_doubt(made, table) == ""
        assert "by more seeds (101, 102): dense 256: 0.004, 0.008. Intervals" in " ".join(caveats(made, table))

    def test_a_search_must_be_that_of_the_runs(self) -> None:
        made = runs("C3", peak(0.04))
        assert rates_doubt(made, searched(made, STEPS)) == ""
        for other in (None, searched(made, STEPS, 0.008), searched(made, STEPS).assign(rules="published")):
            assert "no finished search chose" in rates_doubt(made, other)

    def test_what_a_network_can_do_alone_needs_no_search(self) -> None:
        found = decide(CLAIMS["C1"], runs("C1", by_arch(autapse=0.97, dense=0.93)), "doubt")
        assert [ruling.answer for ruling in found] == [YES, YES, OPEN, OPEN]
        found = decide(CLAIMS["C1"], runs("C1", by_arch(autapse=0.9, dense=0.9)), "doubt")
        assert [ruling.answer for ruling in found[:2]] == [OPEN, YES]  # another rate might do it

    def test_the_margin_is_tested_too(self) -> None:
        """Significantly above 0, and above the margin in the mean, but not significantly so."""
        contrast = Contrast.of("gap", pd.Series([0.11, 0.16, 0.10, 0.14]))
        assert contrast.p < 0.01
        shifted = pd.Series([0.01, 0.06, 0.0, 0.04])
        assert contrast.p_beyond(0.1) == pytest.approx(Contrast.of("gap", shifted).p)
        assert 0.05 < contrast.p_beyond(0.1) < 0.2
        assert contrast.p_beyond(0.2) == 1
        assert Contrast("x", contrast.estimate, 0.001, 1.0, "ratio").p_beyond(0.1) == 1

    def test_values_that_are_alike_but_for_rounding_get_the_sign_test(self) -> None:
        assert Contrast.of("share", pd.Series([1 / 3, 1 / 3, 1 - 2 / 3]), 0.5, "%").p == 0.25

    def test_few_seeds_cannot_pick(self) -> None:
        found = rulings("C3", peak(0.04), faster(0.04), seeds=range(3))
        assert [ruling.answer for ruling in found.values()] == [UNJUDGED, UNJUDGED, YES]
        assert "3 seeds; 4 are needed" in found["C3a"].because
        assert found["C3a"].table[-1][1].startswith("66.")  # what is known is shown: 0.9 − 0.05 log2(1 / 0.04)

    def test_every_network_is_beside_the_dense_one(self) -> None:
        """Of trials to 75 % of the ceiling: 1,000 updates more for each doubling, of which the last comes too late."""
        speed = lambda arm: 1_000 * (1 + abs(log2(arm.get("density", 1) / 0.32)))  # noqa: E731
        found = rulings("C3", lambda arm, task: 0.9 - 0.2 * (arm.get("density") == 0.01), speed)["C3a"].table
        trials = {row[0]: row[4] for row in found[1:]}
        assert trials["lm-rnn 1 % 256"].startswith("at least 3.")
        assert trials["lm-rnn 1 % 256"].endswith("× (0 of 8)")
        assert trials["lm-rnn 32 % 256"].endswith("] (8 of 8)")
        assert float(trials["lm-rnn 32 % 256"].split()[0]) == pytest.approx(1 / (1 + log2(1 / 0.32)), abs=0.1)
        assert trials["dense 256"] == "– (8 of 8)"

    def test_without_about_4_percent(self) -> None:
        others = [arm for arm in protocol.arms("C3", "modcog") if arm.get("density") not in (0.04,)]
        assert rulings("C3", peak(0.16), arms=others)["C3c"].because == ("The tables have no LM-RNN of about 4 %.")

    def test_no_verdict_rests_on_runs_that_did_not_get_there(self) -> None:
        """No run reaches 75 %: no ratio, and it is said; the part that rests on it is open."""
        low = lambda arm, task: 0.6 * peak(0.04)(arm, task)  # noqa: E731
        found = rulings("C3", low, faster(0.04))
        assert [ruling.answer for ruling in found.values()] == [UNJUDGED, YES, YES]
        assert found["C3a"].because == "0 of 8 pairs of runs reached 75 % of the ceiling, too few."
        assert {row[4] for row in found["C3a"].table[1:]} == {"– (0 of 8)"}

    def test_all_measures_are_reported_and_more_is_better_in_each(self) -> None:
        head, *rows = rulings("C3", peak(0.04), faster(0.04))["C3c"].others
        assert head[1:] == ["trial accuracy", "last-step accuracy", "directional accuracy", "angular error",
                            "unanswered"]  # fmt: skip
        assert len(rows) == 2
        for row in rows:
            assert "° [" in row[4]
            assert all(float(cell.split()[0].rstrip("°")) > 0 for k, cell in enumerate(row[1:]) if k != 4)

    def test_a_measure_without_its_ceiling_is_left_out(self) -> None:
        made = runs("C1", lambda arm, task: 0.9)
        made = replace(made, results=made.results.assign(trial_ceiling=np.nan))
        for ruling in decide(CLAIMS["C1"], made)[:2]:
            assert ruling.others[0][1:] == ["last-step accuracy", "directional accuracy"]
            assert "nan" not in str(ruling.others)

    def test_the_authors_recipe_is_judged_by_the_last_step(self) -> None:
        """All other measures speak for the claim."""
        made = runs("C3", peak(0.04), faster(0.04), recipe="authors")
        results = made.results.assign(last_step_accuracy=0.5 + 0.01 * made.results["seed"])
        curves = made.curves.assign(last_step_accuracy=0.5 * made.curves["step"] / STEPS)
        found = decide(CLAIMS["C3"], Runs("corrected", "authors", protocol.FIRST_SCORE["authors"], results, curves))
        assert [ruling.answer for ruling in found] == [UNJUDGED, OPEN, OPEN]


class TestC4:
    @pytest.mark.parametrize("recipe", protocol.RECIPES)
    def test_each_control_has_its_verdict(self, recipe: str) -> None:
        def accuracy(arm: Arm, task: str) -> float:
            if arm["arch"] == "random":
                return 0.7 if arm.get("model.self_connections") else 0.8
            return {"reciprocal": 0.9, "small-world": 0.8 - 0.1 * arm.get("model.rewired", 0)}.get(arm["arch"], 0.8)

        found = rulings("C4", accuracy, recipe=recipe)
        answers = {name: ruling.answer for name, ruling in found.items()}
        assert answers == {
            "C4a": OPEN, "C4b": NO, "C4c": OPEN, "C4d": YES, "C4e": YES, "C4f": YES, "C4g": OPEN, "C4h": YES,
            "C4i": OPEN,
        }  # fmt: skip

    def test_the_confounded_control_is_named_and_is_not_the_twin(self) -> None:
        confounded = next(part for part in CLAIMS["C4"].parts if part.name == "C4h")
        assert "confounded" in confounded.says
        assert "two things differ" in confounded.test
        earlier = [protocol.arms("C4", "modcog")[k] for k in (0, 1, -1)]
        found = rulings("C4", lambda arm, task: 0.7 if arm["arch"] == "random" else 0.8, arms=earlier)
        assert found["C4h"].answer == YES
        assert found["C4a"].answer == UNJUDGED
        options = "self_connections drawn, in_degree drawn"
        assert found["C4a"].because == f"The tables have no run of random, only of random 8.20312 % 256, {options}."

    @pytest.mark.parametrize(("sizes", "reason"), [
        ({"hidden": 128}, "The units of random 8 % 128 are 128, of lm-rnn 8 % 256 256."),
        ({"density": 0.16}, "The synapses of random 16 % 256 are 10,486, of lm-rnn 8 % 256 5,243."),
    ])  # fmt: skip
    def test_a_control_differs_in_one_thing(self, sizes: Arm, reason: str) -> None:
        arms = [{**arm, **sizes} if arm["arch"] == "random" else arm for arm in protocol.arms("C4", "modcog")[:4]]
        found = rulings("C4", lambda arm, task: 0.8, arms=arms)
        assert (found["C4a"].answer, found["C4a"].because) == (UNJUDGED, reason)


class TestC5:
    def test_every_local_network_has_to_be_better(self) -> None:
        def accuracy(arm: Arm, task: str, worse: float = 0.6, of: int = 512) -> float:
            return worse if arm["hidden"] == of else 0.7 if arm["arch"] == "dense" else 0.8

        assert answers("C5", accuracy) == [NO, NO]
        assert answers("C5", lambda arm, task: accuracy(arm, task, 0.8)) == [YES, YES]
        assert answers("C5", lambda arm, task: accuracy(arm, task, 0.7)) == [OPEN, OPEN]

    def test_accuracy_and_speed_are_apart(self) -> None:
        better = lambda arm, task: 0.7 if arm["arch"] == "dense" else 0.8  # noqa: E731
        assert answers("C5", better, lambda arm: 1_000 if arm["arch"] == "dense" else STEPS) == [YES, NO]
        assert answers("C5", lambda arm, task: 0.8, lambda arm: STEPS if arm["arch"] == "dense" else 1_000) == [
            OPEN,
            YES,
        ]

    def test_a_dense_network_that_never_gets_there(self) -> None:
        """The ratio counts it with its whole run; the verdict on speed is the area's."""
        found = rulings("C5", lambda arm, task: 0.7 if arm["arch"] == "dense" else 0.8, noise=0.001)
        assert found["C5b"].answer == YES
        assert any("(reached by 8 and 0 of 8 runs): at most 0.94 ×" in text for text in found["C5b"].beside)

    def test_as_many_synapses_are_asked_for(self) -> None:
        found = rulings("C5", lambda arm, task: 0.8, arms=protocol.arms("C3", "modcog"))
        assert found["C5a"].because == "The synapses of lm-rnn 1 % 256 are 655, of dense 256 65,536."
        found = rulings("C5", lambda arm, task: 0.8, arms=protocol.arms("C5", "modcog")[1:])
        assert found["C5a"].because == "The tables have 2 LM-RNNs, must be 3."
        assert "Parameters, which are not matched" in rulings("C5", lambda arm, task: 0.8)["C5a"].beside[-1]


class TestScale:
    @pytest.mark.parametrize(("exponent", "answer"), [(1, YES), (0, OPEN), (-0.5, NO)])
    def test_the_slope(self, exponent: float, answer: str) -> None:
        def accuracy(arm: Arm, task: str) -> float:
            return peak((0.32 if exponent > 0 else 0.08) * (64 / arm["hidden"]) ** exponent)(arm, task)

        sizes = [{**arm, "hidden": units} for units in protocol.UNITS["full"] for arm in protocol.arms("C3", "modcog")]
        made = runs("scale", accuracy, seeds=range(4), arms=sizes)
        (found,) = decide(CLAIMS["scale"], made)
        assert found.answer == answer
        best = best_densities(made).iloc[0]
        if exponent == 1:
            assert best.tolist() == pytest.approx([0.32, 0.16, 0.08, 0.04, 0.02], rel=0.01)
            assert [row[2].split()[0] for row in table(made)[1:]] == ["20"] * 5
            assert found.numbers[0]["mean"] == pytest.approx(1, abs=0.01)

    def test_two_seeds_say_nothing(self) -> None:
        (found,) = decide(CLAIMS["scale"], runs("scale", peak(0.08), seeds=[0, 1]))
        assert found.answer == UNJUDGED
        assert "3 seeds" in found.because

    def test_a_density_that_sheets_reach_in_steps_does_not_fall(self) -> None:
        """The best one is called the same at all sizes; what it comes to is 5 % at 64 units and 4 % at 1,024."""
        made = runs("scale", peak(0.04), seeds=range(4))
        reached = made.results["density"] * (1 + 16 / made.results["hidden"])
        (found,) = decide(CLAIMS["scale"], replace(made, results=made.results.assign(density=reached)))
        assert (found.answer, found.numbers[0]["mean"]) == (OPEN, 0)


def test_p_values_are_corrected_over_the_parts_of_a_claim() -> None:
    """Four seeds at p = 0.02: significant alone, not among ten parts."""
    values = pd.Series([0.02, 0.03, 0.05, 0.04])
    part = Part("X", "", "", lambda runs: [Contrast.of("gap", values)])
    made = runs("C2", by_arch(lm_rnn=0.9, autapse=0.5))
    for number, answer in ((1, YES), (10, OPEN)):
        claim = Claim("X", "", "", (part,) * number, (), lambda axes, runs: None)
        assert {ruling.answer for ruling in decide(claim, made)} == {answer}


def test_parts_that_cannot_be_judged_count_as_comparisons() -> None:
    """Significant among the parts that were run, not among those that were planned."""

    def missing(_: Runs) -> list[Contrast]:
        raise ModcogError("no run")

    found = Part("X", "", "", lambda runs: [Contrast.of("gap", pd.Series([0.02, 0.03, 0.05, 0.04]))])
    lost, nothing = Part("Y", "", "", missing, planned=5), Part("Z", "", "", lambda runs: [], planned=4)
    made = runs("C2", by_arch(lm_rnn=0.9, autapse=0.5))
    for parts, answer in (((found,), YES), ((found, lost, nothing), OPEN)):
        rulings = decide(Claim("X", "", "", parts, (), lambda axes, runs: None), made)
        assert rulings[0].answer == answer
        assert all(ruling.answer == "not judged" for ruling in rulings[1:])


@pytest.mark.parametrize("claim", CLAIM_NAMES)
def test_every_part_plans_the_comparisons_that_it_makes(claim: str) -> None:
    made = runs(claim, lambda arm, task: 0.9)
    for part in CLAIMS[claim].parts:
        assert len(part.contrasts(made)) == part.planned


def test_runs_of_other_tasks_or_seeds_are_not_compared() -> None:
    made = runs("C4", lambda arm, task: 0.7 if arm["arch"] == "random" else 0.8)
    for lost, reason in (
        ((made.results["arm"] == "random 8 % 256") & (made.results["extension"] == "interval"), "has 6 tasks"),
        ((made.results["arm"] == "random 8 % 256") & (made.results["seed"] == 2), "has 7 seeds"),
    ):
        found = decide(CLAIMS["C4"], replace(made, results=made.results[~lost]))
        assert {ruling.answer for ruling in found} == {"not judged"}
        assert reason in found[0].because


def test_runs_without_scores_or_of_another_budget_are_not_compared() -> None:
    made = runs("C2", lambda arm, task: 0.2 if extended(task) and arm["arch"] == "autapse" else 0.9)
    lost = (made.results["arch"] == "autapse") & (made.results["extension"] == "interval") & (made.results["seed"] > 1)
    unscored = made.results.assign(decision_accuracy=made.results["decision_accuracy"].mask(lost))
    longer = made.results.assign(trials=made.results["trials"] * (1 + (made.results["arch"] == "lm-rnn")))
    for results, reason in ((unscored, "has 6 tasks"), (longer, "with 512,000 trials, others with 1,024,000")):
        found = decide(CLAIMS["C2"], replace(made, results=results))
        assert {ruling.answer for ruling in found} == {"not judged"}
        assert reason in found[0].because


def test_a_network_without_shares_leaves_its_part_open() -> None:
    made = runs("C2", lambda arm, task: 0.2 if extended(task) and arm["arch"] == "autapse" else 0.9)
    share = made.results["decision_share"].mask(made.results["arch"] == "autapse")
    found = decide(CLAIMS["C2"], replace(made, results=made.results.assign(decision_share=share)))
    assert [ruling.answer for ruling in found] == [YES, UNJUDGED, YES]
    assert found[1].because == "The tables have no share of the way from chance to the ceiling of autapse."


def test_fewer_comparisons_than_planned_are_corrected_for_as_many_as_planned() -> None:
    values = pd.Series([0.02, 0.03, 0.05, 0.04])
    made = runs("C2", by_arch(lm_rnn=0.9, autapse=0.5))
    for planned, answer in ((1, YES), (10, OPEN)):
        part = Part("X", "", "", lambda runs: [Contrast.of("gap", values)], planned=planned)
        (found,) = decide(Claim("X", "", "", (part,), (), lambda axes, runs: None), made)
        assert found.answer == answer


def test_networks_side_by_side_are_named() -> None:
    found = caveats(runs("C3", peak(0.04)), None)
    assert [text for text in found if "side by side" in text] == [
        "lm-rnn 1 % 256 is 16 networks side by side: no connection leads from one to another."
    ]


def test_a_run_without_a_learning_curve_is_an_error() -> None:
    made = runs("C2", by_arch(lm_rnn=0.9, autapse=0.5))
    with pytest.raises(ValueError, match="no row of this run"):
        decide(CLAIMS["C2"], Runs("corrected", "modcog", "decision", made.results, made.curves[100:]))


class TestRuleErrors:
    def test_groups_are_disjoint_and_cover_the_82_tasks(self) -> None:
        from modcog import collection

        groups = pd.Series({task: group_of(task) for task in collection("modcog82")}).value_counts()
        assert groups.sum() == 82
        assert groups.to_dict() == {
            "P1 alone": 8, "P2": 6, "P3": 4, "P9": 4, "P8": 24, "P4 + P8": 8, "P8 + P10": 6, "P4 + P8 + P10": 2,
            "P5": 6, "P5 + P7": 6, "P6": 4, "P6 + P7": 4,
        }  # fmt: skip

    @pytest.mark.parametrize("task", TASKS)
    def test_tasks_with_further_errors_are_those_whose_trials_differ(self, task: str) -> None:
        """Differ in durations, in the place of the stimulus, or in the noise on the fixation cue."""

        def looks(rules: str) -> tuple[object, ...]:
            trials = Battery([task], rules=rules).sample(400, seed=0)
            columns = trials.conditions
            moved = columns["target"] - columns["direction"] if "direction" in columns else np.zeros(1)
            return (
                set(trials.lengths.tolist()),
                set((moved % 16).round(3).tolist()),
                len(np.unique(trials.observations[..., 0])) > 2,
            )

        assert (looks("published") != looks("corrected")) == (errors_of(task) != ("P1",))

    def test_a_lead_that_the_rules_turn_is_found(self) -> None:
        def accuracy(published: bool) -> Learner:
            def of(arm: Arm, task: str) -> float:
                gap = -0.1 if task == "dmsintr" and not published else 0.1
                return 0.7 + (gap if arm.get("density") == 0.04 else 0)

            return of

        both = [runs("C3", accuracy(rules == "published"), rules=rules) for rules in ("published", "corrected")]
        pair = CLAIMS["C3"].pair(both[0])
        assert pair == ("lm-rnn 4 % 256", "dense 256")
        found = compare_rules(*both, pair)
        lead = found.set_index("errors")[["lead_published", "lead_corrected"]]
        assert lead.loc["P6"].tolist() == pytest.approx([0.1, -0.1], abs=0.01)
        assert lead.loc["P5"].tolist() == pytest.approx([0.1, 0.1], abs=0.01)
        assert conclusion(found).startswith("The lead has opposite signs in: P6 (")
        assert other_rates(*both, pair) == ""
        both[1].results.loc[both[1].results["arm"] == pair[0], "learning_rate"] = 0.008
        both[1] = replace(both[1])
        assert other_rates(*both, pair) == (
            " Rules and learning rates differ together: lm-rnn 4 % 256 0.004 and 0.008, published and corrected."
        )
        assert len(as_rows(found)) == 1 + len(found)
        both[1] = runs("C3", accuracy(True), rules="corrected")
        assert "In no group" in conclusion(compare_rules(*both, pair))
