"""``modcog benchmark``: what it asks of the library in each of its modes."""

from __future__ import annotations

import re
from typing import Any

import pytest

import modcog
from modcog.training.config import PRESETS


@pytest.fixture
def asked(monkeypatch, tmp_path) -> list[tuple[Any, ...]]:
    """The calls of the library, which ends each in an error."""
    calls: list[tuple[Any, ...]] = []

    def recorder(name: str):
        def call(*args: Any, **options: Any) -> None:
            calls.append((name, args, options))
            raise modcog.ModcogError("recorded")

        return call

    for name in ("run", "score"):
        monkeypatch.setattr(f"modcog.experiments.benchmark.{name}", recorder(name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "for_benchmark.py").write_text("def net(n_outputs, seed): ...\n", encoding="utf-8")
    return calls


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_where_settings_start(run, asked, preset) -> None:
    time, error = run("benchmark", "gru", "--preset", preset, "--steps", 7)[2].splitlines()
    assert re.fullmatch(
        r"Training 3 networks takes about [\d.]+ (s|min|h) on one core, less where some are finished\.", time
    )
    assert error == "modcog: recorded"
    [(name, (arch,), options)] = asked
    assert (name, arch) == ("run", "gru")
    expected = {**PRESETS[preset], "steps": 7}
    del expected["arch"]
    assert {key: value for key, value in options.items() if key in expected} == expected
    assert not {"preset", "arch"} & options.keys()


def test_a_network_that_is_trained(run, asked) -> None:
    run("benchmark", "for_benchmark:net", "--tasks", "go,dms", "--seeds", 2, "--model", "gain=2", "--no-ceiling")
    [(name, args, options)] = asked
    assert (name, args) == ("run", ("for_benchmark:net",))
    assert (options["tasks"], options["seeds"], options["model"]) == (["go", "dms"], 2, {"gain": 2})
    assert (options["ceiling"], options["jobs"], str(options["out"])) == (False, 1, "runs/benchmark")


def test_a_network_as_it_is(run, asked) -> None:
    making = ("--hidden", 5, "--model", "gain=2", "--seeds", 4)
    run("benchmark", "for_benchmark:net", "--no-train", "--tasks", "go", *making)
    [(name, (network, battery), options)] = asked
    assert (name, network.__name__, battery) == ("score", "net", modcog.Battery(["go"], rule_input=True))
    assert (options["hidden"], options["gain"], options["seeds"]) == (5, 2, 4)
    assert options["name"] == "for_benchmark:net"


def test_a_run(run, asked) -> None:
    run("benchmark", "run", "--n-trials", 9)
    [(name, args, options)] = asked
    assert (name, args, options["n_trials"]) == ("score", ("run",), 9)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--steps", 3], "--steps: has no effect, since no NETWORK is named"),
        (["--n-trials", 3], "--n-trials: has no effect, since no NETWORK is named"),
        (["gru", "--check", "x.json"], "NETWORK: has no effect, since an entry is checked"),
        (["--check", "x.json", "--steps", 3], "--steps: has no effect, since an entry is checked"),
        (["--check", "x.json", "--protocol", "modcog132-corrected"], "--protocol: has no effect"),
        (["grru"], "unknown network 'grru' (nearest: 'gru')"),
        (["run", "--steps", 3], "--steps: has no effect, since run is a run"),
        (["run", "--preset", "quick"], "--preset: has no effect"),
        (["for_benchmark:net", "--no-train", "--steps", 3], "--steps: has no effect, since nothing is trained"),
        (["for_benchmark:net", "--no-train", "--preset", "quick"], "--preset: has no effect"),
        (["for_benchmark:net", "--no-train", "--dask", "tcp://x:1"], "--dask: has no effect"),
        (["for_benchmark:net", "--no-train", "--batch-size", 3], "--batch-size: has no effect"),
        (["gru", "--preset", "quik"], "unknown preset 'quik' (nearest: 'quick')"),
        (["gru", "--config", "arch.yaml"], "--config: it holds 'arch'"),
        (["gru", "--config", "out.yaml"], "--config: it holds 'out'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_done(run, asked, tmp_path, words, said) -> None:
    for name in ("arch", "out"):
        (tmp_path / f"{name}.yaml").write_text(f"{name}: x\n", encoding="utf-8")
    code, out, err = run("benchmark", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert asked == []
