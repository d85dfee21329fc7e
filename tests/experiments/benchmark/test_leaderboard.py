"""The leaderboard: a stranger's network goes from a command to the page, and a forged entry is refused."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modcog.errors import ModcogError, UnknownNameError
from modcog.experiments.benchmark import board, check, enter, entries, protocol
from modcog.experiments.benchmark.entries import Entry, read_entry, write_entry
from modcog.experiments.benchmark.protocol import Protocol
from modcog.models import build, measure
from tests.experiments.benchmark.conftest import OWN, command

TINY = Protocol(name="tiny", tasks="match", rules="corrected", trials=64, seeds=2, n_trials=20)
SMALL = (
    "--steps", "8", "--batch-size", "8", "--eval-every", "4", "--eval-trials", "40", "--hidden", "6", "--warmup", "1",
)  # fmt: skip

MAKE = """
def make(n_inputs, n_outputs, hidden):
    return Net(n_inputs, n_outputs, hidden)

def both_ways(n_inputs, n_outputs, hidden):
    network = Net(n_inputs, n_outputs, 2 * hidden)
    network.rnn = torch.nn.RNN(n_inputs, hidden, bidirectional=True)
    return network
"""

DECISION, TRIAL, _, DIRECTIONAL, *_ = range(len(entries.TaskScores._fields))

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module", autouse=True)
def _tiny_protocol():
    """A protocol that takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(protocol.PROTOCOLS, "tiny", TINY)
        yield


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plain torch module of somebody else's, and the entry that the command made of it."""
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "strangers_network.py").write_text(OWN + MAKE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        words = ["--protocol", "tiny", "--by", "Ada", "--name", "Ada | net", "--code", "https://example.org/ada"]
        assert command(patch, "benchmark", "strangers_network:make", "--entry", "entry.json", *words, *SMALL) == 0
        yield folder
    sys.modules.pop("strangers_network", None)


@pytest.fixture
def entry(stranger: Path) -> Entry:
    return read_entry(stranger / "entry.json")


@pytest.fixture
def forged(stranger: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """Make a copy of the entry in which something is changed."""

    def forge(change: Change) -> Path:
        content = json.loads((stranger / "entry.json").read_text())
        change(content)
        (tmp_path / "forged.json").write_text(json.dumps(content))
        return tmp_path / "forged.json"

    return forge


def test_an_entry_holds_what_was_run(entry: Entry, stranger: Path) -> None:
    assert (entry.protocol, entry.name, entry.by, entry.code.address) == (
        "tiny",
        "Ada | net",
        "Ada",
        "https://example.org/ada",
    )
    assert entry.settings["arch"] == "strangers_network:make"
    assert [run.seed for run in entry.runs] == [0, 1]
    assert [point[0] for point in entry.runs[0].curve] == [0, 32, 64]
    rates = {float(rate): score for rate, score in entry.search.scores.items()}
    assert {0.002, 0.004, 0.008} <= rates.keys()
    assert entry.settings["learning_rate"] == max(rates, key=rates.__getitem__)
    if len(rates) < enter.MOST_RATES:
        assert min(rates) < entry.settings["learning_rate"] < max(rates)
    results = [json.loads(file.read_text()) for file in stranger.glob("runs/benchmark/runs/*-s1-*/result.json")]
    (result,) = results
    for task, one in entry.runs[1].scores.items():
        assert one.decision == pytest.approx(result["scores"][task]["decision_accuracy"], abs=1e-5)
        assert one.trial == pytest.approx(result["scores"][task]["trial_accuracy"], abs=1e-5)


def test_a_network_that_sees_later_steps_cannot_enter(stranger: Path, monkeypatch, capsys) -> None:
    words = ["--entry", "none.json", "--protocol", "tiny", *SMALL]
    assert command(monkeypatch, "benchmark", "strangers_network:both_ways", *words) == 2
    assert "depends on later steps" in " ".join(capsys.readouterr().err.split())
    assert not (stranger / "none.json").exists()


def test_the_means_are_those_over_tasks_and_then_over_seeds(entry: Entry) -> None:
    of_seeds = [[one.last_step for one in run.scores.values()] for run in entry.runs]
    assert entry.means.last_step == pytest.approx(np.mean(of_seeds), abs=1e-5)


def test_a_search_is_scored_on_other_trials_than_the_entry(stranger: Path) -> None:
    scored = {
        (result["cell"]["config"]["seed"], result["cell"]["score_seed"])
        for file in stranger.glob("runs/benchmark/runs/*/result.json")
        for result in [json.loads(file.read_text())]
    }
    assert scored == {(0, 1_000), (1, 1_000), (100, 100)}


def test_an_entry_is_read_as_it_was_written(entry: Entry, tmp_path: Path) -> None:
    write_entry(entry, tmp_path / "again.json")
    assert read_entry(tmp_path / "again.json") == entry
    lines = (tmp_path / "again.json").read_text().splitlines()
    assert sum('"dms":' in line and "]" in line for line in lines) == len(entry.runs)


def test_a_true_entry_passes_also_when_it_is_trained_again(stranger: Path, tmp_path: Path) -> None:
    path = stranger / "entry.json"
    assert check.check_entry(path).name == "Ada | net"
    assert check.check_entry(path, rerun=True, trust=True).name == "Ada | net"
    with pytest.raises(ModcogError, match="--trust"):
        check.check_entry(path, rerun=True)


def raise_scores(content: dict[str, Any]) -> None:
    for run in content["runs"]:
        run["scores"]["dms"][DECISION] = 1.0


def raise_scores_and_means(content: dict[str, Any]) -> None:
    for run in content["runs"]:
        for one in [*run["scores"].values(), content["means"]]:
            one[:4] = [0.99, 0.9, 0.95, 0.95]


def set_value(*path: Any) -> Change:
    *way, last, value = path

    def change(content: Any) -> None:
        for step in way:
            content = content[step]
        content[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (raise_scores, "means: decision is .*, the scores of the tasks have"),
        (raise_scores_and_means, "its learning curve ends at"),
        (set_value("means", TRIAL, 0.75), "means: trial is 0.75"),
        (set_value("protocol_digest", "0" * 16), "other protocols cannot stand beside"),
        (set_value("protocol", "modcog82-corrected"), "protocol_digest is"),
        (set_value("protocol", "modcog83"), "unknown protocol 'modcog83'"),
        (set_value("settings", "steps", 9), "72 trials in all; protocol tiny has 64"),
        (set_value("settings", "battery", {"rules": "published"}), "rules: must be that of protocol tiny"),
        (set_value("settings", "battery", {"sigma": 0.1}), "sigma: must be that of protocol tiny"),
        (set_value("settings", "tasks", "yang19"), "tasks: must be that of protocol tiny"),
        (set_value("settings", "train_on", ["dms"]), "train_on: .* must be left out"),
        (set_value("settings", "target_accuracy", 0.3), "target_accuracy: got 0.3"),
        (set_value("settings", "stepz", 3), "unknown setting 'stepz'"),
        (lambda content: content["runs"].pop(), "seeds: got 0, must be 0, 1, 2 … and at least 2"),
        (set_value("runs", 1, "seed", 7), "seeds: got 0, 7"),
        (set_value("search", "seed", 1), "search: its seed 1 is one of the networks"),
        (lambda content: content["runs"][0]["scores"].pop("dms"), "its tasks are not those of match"),
        (set_value("runs", 0, "scores", "dms", TRIAL, 0.517), "trial 0.517 is no share of 20 trials"),
        (set_value("runs", 0, "scores", "dms", DIRECTIONAL, 0.0), "last_step .* is above directional 0.0"),
        (set_value("runs", 0, "curve", [[0, 0.1]]), "does not lead to 64 trials"),
        (set_value("runs", 0, "curve", [[0, 0.1], [64, 0.9]]), "its learning curve ends at 0.9"),
        (set_value("runs", 0, "scores", "dms", DECISION, 1.2), "dms.0: got 1.2"),
        (set_value("extra", 1), "extra"),
        (set_value("format", "one"), "format"),
        (set_value("by", "a\nb"), "by"),
    ],
)  # fmt: skip
def test_a_forged_entry_is_refused_with_the_reason(forged, change: Change, reason: str) -> None:
    with pytest.raises(ModcogError, match=reason) as error:
        check.check_entry(forged(change))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_value("parameters", 12), "parameters: got 12, the network has"),
        (set_value("code", "file_sha256", "0" * 64), "code: the file of strangers_network:make has the hash"),
    ],
)
def test_a_trusted_entry_is_compared_with_its_code(forged, change: Change, reason: str) -> None:
    check.check_entry(forged(change))  # without trust nothing is imported
    with pytest.raises(ModcogError, match=reason):
        check.check_entry(forged(change), trust=True)


def test_scores_that_were_made_up_with_care_fail_when_trained_again(forged, tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for run in content["runs"]:
            for one in [*run["scores"].values(), content["means"]]:
                one[:4] = [0.95, 0.9, 0.95, 0.95]
            run["curve"][-1][1] = 0.95

    assert check.check_entry(forged(change))
    with pytest.raises(ModcogError, match=r"mean decision accuracy 0\.950, trained again it has"):
        check.check_entry(forged(change), rerun=True, trust=True)


def test_scores_above_the_ideal_observer_are_refused() -> None:
    """No network is correct in every trial of a battery that has noisy tasks."""
    rules = protocol.find_protocol(protocol.DEFAULT)
    known = check.levels(rules.battery)
    ceiling = float(np.mean([level.decision_ceiling for level in known.values()]))

    def problems(decision: Callable[[str], float]) -> list[str]:
        score = {"trial": 0.0, "last_step": 1.0, "directional": 1.0, "angular_error": 0, "unanswered": 0}
        scores = {task: entries.TaskScores(decision=decision(task), **score) for task in known}
        run = entries.EntryRun(seed=0, scores=scores, curve=((0, 0.0), (512_000, ceiling)), seconds=1)
        return list(check._impossible(run, rules, known))

    assert problems(lambda task: known[task].decision_ceiling) == []
    (found,) = problems(lambda task: 1.0)
    assert f"1.000 is above the ideal observer's {ceiling:.3f}" in found


def test_the_command_checks_a_folder_and_says_what_it_refuses(stranger, forged, tmp_path, monkeypatch, capsys) -> None:
    forged(raise_scores)
    (tmp_path / "true.json").write_text((stranger / "entry.json").read_text())
    assert command(monkeypatch, "benchmark", "--check", str(tmp_path)) == 1
    out = capsys.readouterr().out
    assert "refused:" in out
    assert "true.json: Ada | net, 2 seeds" in out.replace("\n  ", " ")
    (tmp_path / "forged.json").unlink()
    assert command(monkeypatch, "benchmark", "--check", str(tmp_path)) == 0


def test_a_protocol_decides_its_tasks_and_the_number_of_seeds(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for words, reason in (
        (["--tasks", "go"], "--tasks: protocol tiny decides it"),
        (["--n-trials", "50"], "--n-trials: protocol tiny decides it"),
        (["--preset", "quick"], "--preset: protocol tiny decides it"),
        (["--no-train"], "--no-train: has no effect with --entry"),
        (["--seeds", "1"], "seeds: got 1, protocol tiny has at least 2"),
        (["--steps", "9"], "72 trials in all"),
    ):
        given = ["benchmark", "lm-rnn", "--entry", "e.json", "--protocol", "tiny", *SMALL, *words]
        assert command(monkeypatch, *given) == 2
        assert reason in " ".join(capsys.readouterr().err.split())
    assert command(monkeypatch, "benchmark", "lm-rnn", "--by", "Ada") == 2
    assert "--by: has no effect without --entry" in capsys.readouterr().err
    assert command(monkeypatch, "benchmark", "--rerun") == 2


def test_the_command_without_a_network_prints_the_leaderboard(monkeypatch, capsys) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert command(monkeypatch, "benchmark") == 0
    out = capsys.readouterr().out
    assert "512,000 trials of training" in " ".join(out.split())
    for one in entries.stored_entries().values():
        if one.protocol == protocol.DEFAULT:
            assert one.name in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_board_orders_networks_and_shows_levels(entry: Entry) -> None:
    better = entry.model_copy(update={"name": "better", "synapses": 5_376, "runs": tuple(map(improved, entry.runs))})
    other = entry.model_copy(update={"protocol_digest": "f" * 16})
    shown = board.Board(TINY, [entry, other, better])
    assert [line.entry.name for line in shown.lines] == ["better", "Ada | net"]
    head, first, *_ = shown.scores(shown.lines)
    assert dict(zip(head, first, strict=True))["synapses"] == "5,376"
    groups = pd.DataFrame(shown.groups(shown.lines)[1:], columns=shown.groups(shown.lines)[0]).set_index("network")
    assert groups.loc["better", "all"] == "100.0"
    assert groups.loc["ceiling (ideal observer)", "all"] == "100.0"
    assert float(groups.loc["no clock", "interval"]) < float(groups.loc["no clock", "no extension"])
    own = [
        np.mean([one.decision for task, one in run.scores.items() if "seq" in task and "int" not in task])
        for run in entry.runs
    ]
    assert groups.loc["Ada | net", "sequence"] == f"{100 * np.mean(own):.1f}"


def improved(run: entries.EntryRun) -> entries.EntryRun:
    return run.model_copy(update={"scores": {task: one._replace(decision=1.0) for task, one in run.scores.items()}})


def test_sizes_part_the_board(entry: Entry) -> None:
    def sized(hidden: int, parameters: int) -> Entry:
        return entry.model_copy(
            update={"settings": {**entry.settings, "hidden": hidden}, "parameters": parameters, "name": str(hidden)}
        )

    shown = board.Board(TINY, [sized(256, 99_000), sized(100, 50_900), sized(7, 10), sized(256, 49_999)])
    classes = {name: sorted(line.entry.parameters for line in lines) for name, lines in shown.classes().items()}
    assert classes == {"256 units": [49_999, 99_000], "about 50,000 parameters": [49_999, 50_900], "other sizes": [10]}


def test_the_page_shows_the_entry_with_its_figures(entry: Entry, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "docs" / "generate"))
    leaderboard = importlib.import_module("leaderboard")
    monkeypatch.setattr(leaderboard, "stored_entries", lambda: {"ada.json": entry})
    monkeypatch.setattr(board, "stored_entries", lambda: {"ada.json": entry})
    page = leaderboard.filled(f"# Leaderboard\n\n{leaderboard.MARK}\n")
    assert "## tiny" in page
    assert "| Ada \\| net" in page
    assert "leaderboard/ada.json" in page
    pictures = leaderboard.pages()
    assert set(pictures) == {"leaderboard/tiny-parameters.png", "leaderboard/tiny-other-sizes-trials.png"}
    assert all(picture.startswith(b"\x89PNG") and len(picture) > 5_000 for picture in pictures.values())


def test_a_digest_changes_with_the_protocol_and_with_the_trials(monkeypatch) -> None:
    digests = {one.digest for one in protocol.PROTOCOLS.values()}
    assert len(digests) == len(protocol.PROTOCOLS)
    for changed in ({"trials": 128}, {"n_trials": 21}, {"rules": "published"}, {"score_seed": 5}):
        assert TINY.model_copy(update=changed).digest != TINY.digest
    before, sample = TINY.digest, protocol.Battery.sample
    for owner, name, value in (
        (protocol, "VERSION", 2),
        (protocol.Battery, "sample", lambda battery, per_task, seed: sample(battery, per_task=per_task, seed=seed + 1)),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, value)
            protocol._digest.cache_clear()
            assert TINY.digest != before
    protocol._digest.cache_clear()
    assert TINY.digest == before


def test_unknown_protocols_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown protocol 'modcog82'"):
        protocol.find_protocol("modcog82")


def test_our_networks_are_as_large_as_they_should_be() -> None:
    battery = protocol.find_protocol(protocol.DEFAULT).battery
    for network, hidden in protocol.NETWORKS:
        options = {**network.get("model", {}), **({"density": network["density"]} if "density" in network else {})}
        made = build(network["arch"], battery.n_channels, battery.n_actions, hidden=hidden, **options)
        assert measure(made).parameters == pytest.approx(protocol.PARAMETERS, rel=0.02)


@pytest.mark.parametrize("path", entries.find_entries(), ids=lambda path: path.stem)
def test_every_stored_entry_passes_the_check(path: Path) -> None:
    check.check_entry(path)
