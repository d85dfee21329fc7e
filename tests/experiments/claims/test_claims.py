"""Verdicts on tables whose truth is known: claims hold, fail or stay open as the numbers in them do."""

from __future__ import annotations

import pytest
from made_up import by_arch, tables

from modcog.experiments.claims import CLAIMS
from modcog.experiments.claims.c2_autapses import task_gaps
from modcog.experiments.claims.protocol import LOCAL
from modcog.experiments.sweeps.grid import Cell

FULL = {name: claim.presets["full"] for name, claim in CLAIMS.items()}


def answer(name: str, *made: object) -> str:
    return CLAIMS[name].verdict(*tables(FULL[name], *made)).answer


class TestC1:
    def test_the_smallest_pool_that_solves_the_tasks_is_named(self) -> None:
        made = tables(
            FULL["C1"], lambda cell, task: 0.97 + 0.001 * cell.config.seed if cell.config.hidden >= 64 else 0.8
        )
        verdict = CLAIMS["C1"].verdict(*made)
        assert verdict.answer == "holds"
        assert "has 64 units" in verdict.because

    def test_one_task_that_is_not_learned_is_enough_to_fail(self) -> None:
        assert answer("C1", lambda cell, task: 0.5 if task == "dms" else 1.0) == "does not hold"

    def test_seeds_that_disagree_leave_it_open(self) -> None:
        assert answer("C1", lambda cell, task: (0.99, 0.90, 0.97)[cell.config.seed]) == "cannot tell"


class TestC2:
    def test_it_holds_where_autapses_fail_and_the_other_does_not(self) -> None:
        def accuracy(cell: Cell, task: str) -> float:
            extended = task.endswith(("r", "l"))
            return 0.2 if extended and cell.config.arch == "autapse" else 0.9 + 0.01 * cell.config.seed

        verdict = CLAIMS["C2"].verdict(*tables(FULL["C2"], accuracy))
        assert verdict.answer == "holds"
        found = {finding.what: finding.estimate.mean for finding in verdict.findings}
        assert found["LM-RNN − autapses, base tasks"] == pytest.approx(0)
        assert found["LM-RNN − autapses, extended tasks"] == pytest.approx(0.71)
        assert found["extended tasks on which the LM-RNN does not fail"] == 1
        assert found["of these, tasks on which the autapses fail"] == 1

    def test_only_tasks_that_the_other_learned_count_as_failures(self) -> None:
        def accuracy(cell: Cell, task: str) -> float:
            if task.startswith(("dm", "ctxdm")):
                return 0.1  # neither learns them
            return 0.2 if cell.config.arch == "autapse" else 0.9

        found = {f.what: f.estimate.mean for f in CLAIMS["C2"].verdict(*tables(FULL["C2"], accuracy)).findings}
        assert found["extended tasks on which the LM-RNN does not fail"] < 1
        assert found["of these, tasks on which the autapses fail"] == 1

    def test_an_lm_rnn_that_fails_on_every_task_is_said_in_words(self) -> None:
        verdict = CLAIMS["C2"].verdict(*tables(FULL["C2"], by_arch({"lm-rnn": 0.2, "autapse": 0.1})))
        assert verdict.answer == "cannot tell"
        assert verdict.because.endswith("taken one by one; it fails on them all.")

    def test_a_seed_that_learned_nothing_does_not_count(self) -> None:
        def accuracy(cell: Cell, task: str) -> float:
            return 0.9 if cell.config.arch == "lm-rnn" and cell.config.seed else 0.2

        found = {f.what: f.estimate for f in CLAIMS["C2"].verdict(*tables(FULL["C2"], accuracy)).findings}
        only = found["of these, tasks on which the autapses fail"]
        assert (only.mean, only.n) == (1, 2)

    def test_better_on_all_but_failing_on_few_is_not_enough(self) -> None:
        assert answer("C2", by_arch({"lm-rnn": 0.9, "autapse": 0.7})) == "does not hold"

    def test_it_does_not_hold_the_other_way_round(self) -> None:
        assert answer("C2", by_arch({"lm-rnn": 0.3, "autapse": 0.9})) == "does not hold"

    def test_gaps_are_per_task_and_paired_by_seed(self) -> None:
        results, _ = tables(
            FULL["C2"], lambda c, task: 0.1 * c.config.seed + (c.config.arch == "lm-rnn") * len(task) / 50
        )
        gaps = task_gaps(results)
        assert gaps["dlygo"][:3] == pytest.approx((0.1, 0.1, 0.1))
        assert len(gaps) == 132


def steep(best: float):
    """Accuracy that falls by 5 points for every doubling of the density away from ``best``."""
    from math import log2

    return lambda cell, task: 0.9 + 0.001 * cell.config.seed - 0.05 * abs(log2((cell.config.density or 1) / best))


class TestC3:
    def test_a_best_density_that_learns_faster_than_dense(self) -> None:
        def trials(cell: Cell) -> float:
            return (100_000 if cell.config.density == 0.04 else 200_000) + 1000 * cell.config.seed

        verdict = CLAIMS["C3"].verdict(*tables(FULL["C3"], steep(0.04), trials))
        assert verdict.answer == "holds"
        assert "lm-rnn 4 % 256; it needs 0.50 times" in verdict.because

    def test_no_faster_than_dense(self) -> None:
        assert answer("C3", steep(0.04), lambda cell: 1000 if cell.config.density is None else 2000) == "does not hold"

    def test_the_sparsest_is_best(self) -> None:
        """A sparser one, which is not there, might be better."""
        verdict = CLAIMS["C3"].verdict(
            *tables(FULL["C3"], steep(0.01), lambda cell: 1000 + cell.config.seed if cell.config.density else 2000)
        )
        assert verdict.answer == "cannot tell"
        assert not [f for f in verdict.findings if f.what.startswith("lm-rnn 1 % 256 against lm-rnn 1 %")]

    def test_a_dense_network_that_never_gets_there_counts_with_its_whole_run(self) -> None:
        verdict = CLAIMS["C3"].verdict(
            *tables(FULL["C3"], steep(0.04), lambda c: 128_000 if c.config.density else None)
        )
        ratio = [finding for finding in verdict.findings if finding.unit == "ratio"][-1]
        assert ratio.estimate.mean == pytest.approx(128_000 / 512_000)
        assert ratio.estimate.low == 0
        assert str(ratio).endswith("(reached by 3 of 3 and 0 of 3 runs): ≤ 0.25 × [≤ 0.25] (3 seeds)")

    def test_seeds_of_which_neither_got_there_say_nothing(self) -> None:
        def trials(cell: Cell) -> float | None:
            return None if cell.config.seed == 0 else 256_000 if cell.config.density is None else 128_000

        verdict = CLAIMS["C3"].verdict(*tables(FULL["C3"], steep(0.04), trials))
        ratio = [finding for finding in verdict.findings if finding.unit == "ratio"][-1]
        assert (ratio.estimate.mean, ratio.estimate.n) == (pytest.approx(0.5), 2)
        assert ratio.estimate.low == pytest.approx(0.5)

    def test_a_network_that_never_gets_there_where_the_dense_one_does_has_no_upper_end(self) -> None:
        verdict = CLAIMS["C3"].verdict(
            *tables(FULL["C3"], steep(0.04), lambda c: 128_000 if c.config.density is None else None)
        )
        ratio = [finding for finding in verdict.findings if finding.unit == "ratio"][-1]
        assert str(ratio).endswith(": ≥ 4.00 × [≥ 4.00] (3 seeds)")
        assert verdict.answer == "does not hold"

    def test_nothing_reached(self) -> None:
        assert answer("C3", steep(0.04)) == "cannot tell"

    def test_dense_ends_significantly_higher_though_nothing_was_reached(self) -> None:
        assert answer("C3", lambda cell, task: 0.4 if cell.config.density is None else 0.3) == "does not hold"


class TestC4:
    def test_local_better_than_random(self) -> None:
        means = by_arch({"lm-rnn": 0.8, "random": 0.7, "shuffled": 0.8})
        slow = {"lm-rnn": 1000, "random": 2000, "shuffled": 1000}
        assert answer("C4", means, lambda cell: slow[cell.config.arch] + cell.config.seed) == "holds"

    def test_random_as_good(self) -> None:
        means = by_arch({"lm-rnn": 0.8, "random": 0.8, "shuffled": 0.8}, spread=0)
        assert answer("C4", means, lambda cell: 1000) == "does not hold"

    def test_better_by_less_than_the_seeds_differ(self) -> None:
        def accuracy(cell: Cell, task: str) -> float:
            return 0.8 + (0.02 * cell.config.seed if cell.config.arch == "lm-rnn" else 0)

        def trials(cell: Cell) -> float:
            return 1000 + (300 * cell.config.seed - 300 if cell.config.arch == "lm-rnn" else 0)

        assert answer("C4", accuracy, trials) == "cannot tell"


class TestC5:
    def test_every_local_network_has_to_be_better(self) -> None:
        def trials(cell: Cell) -> float:
            return 1000 if cell.config.arch == "lm-rnn" else 1500

        assert answer("C5", by_arch({"lm-rnn": 0.8, "dense": 0.7}), trials) == "holds"

        def one_worse(cell: Cell, task: str) -> float:
            return 0.6 if cell.config.hidden == 512 else by_arch({"lm-rnn": 0.8, "dense": 0.7})(cell, task)

        assert answer("C5", one_worse, trials) == "does not hold"
        assert answer("C5", by_arch({"lm-rnn": 0.6, "dense": 0.7}), trials) == "does not hold"

        def one_unsure(cell: Cell, task: str) -> float:
            return 0.75 + (0.1 * (cell.config.seed - 1) if cell.config.hidden == 512 else 0.05 * (not cell.config.seed))

        assert answer("C5", lambda c, t: one_unsure(c, t) if c.config.arch != "dense" else 0.7, trials) == "cannot tell"

    def test_slower_is_not_better(self) -> None:
        def trials(cell: Cell) -> float:
            return 2000 if cell.config.hidden == 512 else 1500 if cell.config.arch == "dense" else 1000

        assert answer("C5", by_arch({"lm-rnn": 0.8, "dense": 0.7}), trials) == "does not hold"

    def test_its_networks_have_the_same_number_of_synapses(self) -> None:
        from modcog.models import build, measure

        counts = []
        for cell in FULL["C5"].cells("nowhere"):
            options = {} if cell.config.density is None else {"density": cell.config.density}
            counts.append(measure(build(cell.config.arch, 33, 17, hidden=cell.config.hidden, **options)).synapses)
        assert max(counts) / min(counts) < 1.08


@pytest.mark.parametrize("preset", ["small", "full"])
def test_claims_share_the_networks_that_they_both_need(preset: str) -> None:
    cells = {name: {cell.name for cell in claim.presets[preset].cells("x")} for name, claim in CLAIMS.items()}
    assert len(cells["C4"] & cells["C3"]) == len({s for s in CLAIMS["C4"].presets[preset].axes["seed"]})
    assert cells["C5"] & cells["C3"]
    assert LOCAL in {cell.config.density for cell in FULL["C2"].cells("x")}


@pytest.mark.parametrize("name", CLAIMS)
def test_every_full_preset_has_enough_seeds(name: str) -> None:
    assert len(FULL[name].axes["seed"]) >= 3
