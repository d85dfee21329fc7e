"""The program as a whole: finding commands, help, errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points, version

import click
import pytest

import modcog
from modcog import cli

PLUGIN = {"gymnasium"} if version("gymnasium").startswith("0.") else {""}
"""Gymnasium 0.29 finds the environments by itself; for later versions ``import modcog`` registers them with it."""

START = [sys.executable, "-c", "import sys; from modcog.cli import main; sys.exit(main())"]


def test_the_installed_command_is_main() -> None:
    (found,) = [point for point in entry_points(group="console_scripts") if point.name == "modcog"]
    assert found.load() is cli.main


def test_version(run) -> None:
    assert run("--version") == (0, f"modcog {modcog.__version__}\n", "")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_names_every_command_and_shows_examples(run, words) -> None:
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    listed = out.split("Commands:\n")[1].split()
    assert set(cli.COMMANDS) <= set(listed)
    assert "\n    modcog sample modcog132 --per-task 10 --out trials.npz\n" in out


@pytest.mark.parametrize("command", ["list", "show", "sample"])
def test_help_of_a_command_keeps_its_examples_on_lines_of_their_own(run, command) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"\n    modcog {command} " in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lst"], "unknown command 'lst' (nearest: 'list')"),
        (["list", "--famly", "go"], "unknown option '--famly' (nearest: '--family')"),
        (["--verison"], "unknown option '--verison' (nearest: '--version')"),
        (["list", "--family", "mtch"], "unknown family 'mtch' (nearest: 'match'); allowed: go, decision, match"),
        (["list", "--extension", "intervall"], "(nearest: 'interval'); allowed: none, interval, sequence"),
        (["list", "--collection", "yang20"], "unknown collection 'yang20' (nearest: 'yang19')"),
        (["list", "--base", "dmss"], "unknown base task 'dmss' (nearest: 'dms')"),
        (["list", "extra"], "unexpected extra argument"),
        (["show"], "Missing argument 'TASK"),
        (["show", "dlygoint"], "unknown task or collection 'dlygoint' (nearest: 'dlygointr')"),
        (["show", "rtgointr"], "rtgo has no timed period"),
        (["show", "go", "--seed", "-1"], "seed: got -1"),
        (["show", "go", "--trials", "0"], "--trials: got 0, must be a whole number, at least 1"),
        (["show", "go", "--config", "nowhere.toml"], "cannot read nowhere.toml"),
        (["show", "go", "--timing", "delay=500"], "unknown period in timing 'delay'; allowed: fixation, stimulus"),
        (["sample", "yang18"], "unknown task or collection 'yang18' (nearest: 'yang19')"),
        (["sample", "go", "-n", "many"], "Invalid value for '-n'"),
        (["sample", "go", "-n", "0"], "-n: got 0, must be a whole number, at least 1"),
        (["sample", "go", "--per-task", "-3"], "--per-task: got -3"),
        (["sample", "go", "-n", "3", "--per-task", "2"], "either -n, the number of trials, or --per-task"),
        (["sample", "go", "--out", "trials.csv"], "must end in .npz"),
        (["sample", "go", "--dt", "nan"], "dt: got nan"),
        (["sample", "go", "--dt", "fast"], "dt: got 'fast', must be a number"),
        (["sample", "go", "--dim-ring", "7"], "dim_ring: got 7, must be even"),
        (["sample", "go", "--rules", "publshed"], "(nearest: 'published')"),
        (["sample", "go", "--interval", ","], "interval: got ()"),
        (["sample", "go", "--timing", "stimulus"], "--timing: got 'stimulus', must be NAME=VALUE"),
        (["sample", "-n", "1000000000"], "modcog export writes any number"),
        (["sample", "go", "--out", "/dev/null/trials.npz"], "/dev/null"),
        (["--import", "no_such_module", "list"], "cannot import 'no_such_module'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(run, words, said) -> None:
    code, out, err = run(*words)
    assert code == 2
    assert out == ""
    assert said in err
    assert err.startswith("modcog: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


def _raising(error: BaseException) -> click.Command:
    @click.command
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (modcog.ModcogError("two\nlines"), 2, "modcog: two lines\n"),
        (PermissionError(13, "Permission denied", "there"), 2, "modcog: Permission denied: there\n"),
        (MemoryError("1 TB"), 2, "modcog: not enough memory: 1 TB\n"),
        (ImportError("to read it: pip install h5py"), 2, "modcog: to read it: pip install h5py\n"),
        (KeyboardInterrupt(), 130, "modcog: stopped\n"),
        (RuntimeError("odd"), 1, "modcog: RuntimeError: odd (unexpected; MODCOG_DEBUG=1 shows where)\n"),
    ],
)
def test_errors_and_exit_codes(run, monkeypatch, error, code, said) -> None:
    monkeypatch.setitem(cli.COMMANDS, "list", ("modcog.cli.tasks:failing", ""))
    monkeypatch.setattr("modcog.cli.tasks.failing", _raising(error), raising=False)
    assert run("list") == (code, "", said)


def test_debugging_shows_where(monkeypatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "list", ("modcog.cli.tasks:failing", ""))
    monkeypatch.setattr("modcog.cli.tasks.failing", _raising(RuntimeError("odd")), raising=False)
    monkeypatch.setenv("MODCOG_DEBUG", "1")
    with pytest.raises(RuntimeError, match="odd"):
        cli.main(["list"])


@pytest.mark.parametrize("words", [["--help"], ["list"], ["list", "--help"]])
def test_a_command_imports_only_what_it_needs(words) -> None:
    code = f"""
import sys
from modcog.cli import main
assert main({words}) == 0
heavy = {{"torch", "neurogym", "matplotlib", "pydantic", "yaml", "rich", "joblib"}} | {PLUGIN}
sys.exit(" ".join(heavy & set(sys.modules)) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_a_summary_and_a_word_on_every_option(command) -> None:
    found = cli.load(command)
    assert found.help.split("\n\n")[0] == cli.COMMANDS[command][1]
    assert f"\nExamples:\n  modcog {command}" in found.help
    for option in found.params:
        assert option.help, option
        assert not re.match("What|Whether|Where|How|Of ", option.help), option.help


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("modcog s", ["show", "sample", "sweep", "study"]),
        ("modcog lst --ver", ["--version"]),
        ("modcog sample --per", ["--per-task"]),
        ("modcog list --family ", ["go", "decision", "match"]),
        ("modcog sample --rules ", ["corrected", "published"]),
        ("modcog train --preset lm", ["lm132"]),
    ],
)
def test_a_shell_completes_commands_options_and_names(words, completed) -> None:
    about = {"_MODCOG_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = subprocess.run([*START], capture_output=True, text=True, env={**os.environ, **about})
    assert done.stderr == ""
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == completed


def test_the_script_for_a_shell() -> None:
    done = subprocess.run(
        [*START], capture_output=True, text=True, env={**os.environ, "_MODCOG_COMPLETE": "bash_source"}
    )
    assert "complete -o nosort -F" in done.stdout


@pytest.mark.parametrize("command", ["export", "verify", "sweep", "benchmark", "validate", "ceiling"])
def test_jobs_are_counted(run, command) -> None:
    for given in ("0", "-3"):
        code, out, err = run(command, "--jobs", given)
        assert (code, out) == (2, "")
        assert f"--jobs: got {given}, must be a whole number, at least 1" in err
    with cli.load(command).make_context(command, ["--jobs", "-1"], resilient_parsing=True) as context:
        assert context.params["jobs"] == os.cpu_count()


@pytest.mark.parametrize(
    "words",
    [
        "list --base {}",
        "show {}",
        "show --config settings.toml go",
        "sample {} -n 3 --out trials.npz",
        "sample --config settings.toml -n 3 --out trials.npz",
        "ceiling {}",
        "export --tasks {} --trials-per-task 20 --out {folder} --no-progress",
        "export --config settings.toml --trials-per-task 20 --out {folder} --no-progress",
        "evaluate own_net:predict --tasks {} --n-trials 5",
        "train --tasks {} --steps 1 --hidden 4 --eval-trials 1 --eval-every 1 --out {folder}",
        "sweep grid.yaml --out {folder}",
    ],
)
def test_the_id_of_an_environment_names_its_task_in_every_command(run, monkeypatch, tmp_path, words) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_net.py").write_text("def predict(x):\n    return x[..., :17]\n", encoding="utf-8")
    said = []
    for k, task in enumerate(("dms", "modcog/dms-v0", "modcog/dms", "dms-v0")):
        (tmp_path / "settings.toml").write_text(f"tasks = ['{task}']\n", encoding="utf-8")
        grid = f"settings: {{steps: 1, tasks: {task}, hidden: 4, eval_trials: 1, eval_every: 1}}\nn_trials: 2\n"
        (tmp_path / "grid.yaml").write_text(grid, encoding="utf-8")
        code, out, err = run(*words.format(task, folder=f"out{k}").split())
        assert code == 0, err
        said.append(re.sub(r"out\d", "out", re.sub(r"[\d.,]+ s|[\d.]+ MB", "", out)))
    assert said == said[:1] * 4
    _, _, err = run(*words.replace("settings.toml", "nowhere").format("modcog/dmss-v0", folder="new").split())
    assert "{}" not in words or "'dmss' (nearest: 'dms')" in err


@pytest.mark.parametrize(
    ("words", "module", "extra"),
    [
        (["train"], "lightning_fabric", "train"),
        (["train", "--resume"], "safetensors", "train"),
        (["evaluate", "."], "safetensors", "train"),
        (["sweep", "nowhere.toml"], "pandas", "train"),
        (["validate", "C1"], "pandas", "train"),
        (["benchmark", "gru"], "pandas", "train"),
        (["benchmark", "nowhere:net", "--no-train"], "safetensors", "train"),
        (["sweep", "nowhere.toml", "--table", "parquet"], "pyarrow", "parquet"),
        (["export", "--tasks", "go", "--dask", "tcp://x:1", "--out", "set"], "distributed", "dask"),
        (["benchmark", "gru", "--dask", "tcp://x:1"], "distributed", "dask"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_missing_extra_is_named_before_any_work(run, monkeypatch, tmp_path, words, module, extra) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("modcog.extras.find_spec", lambda name: None if name == module else name)
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert module.replace("_", "-") in err
    assert err.endswith(f': pip install "modcog-battery[{extra}]"\n')
    assert list(tmp_path.iterdir()) == []


def test_import_makes_own_tasks_known_to_the_command_and_to_its_processes(tmp_path) -> None:
    (tmp_path / "own_tasks.py").write_text(
        """
import modcog
def draw(t):
    return modcog.Outcome(t["direction"], [modcog.Stimulus(0, 1, t["direction"])])
direction = modcog.Condition("direction", "direction")
periods = {"fixation": 300, "decision": 300}
modcog.add_base(modcog.Base("look", "gaze", "Look there.", periods, ("decision",), (direction,), draw))
""",
        encoding="utf-8",
    )
    words = [*START, "--import", "own_tasks", "list", "--family", "gaze"]
    listed = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert listed.stderr == ""
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == ["look", "lookseqr", "lookseql", "3"]
    inherited = {**os.environ, "MODCOG_IMPORT": "own_tasks", "PYTHONPATH": str(tmp_path)}
    code = "import gymnasium, modcog; gymnasium.spec('modcog/lookseqr-v0'); print(modcog.parse('lookseqr').family)"
    worker = subprocess.run([sys.executable, "-c", code], env=inherited, capture_output=True, text=True)
    assert (worker.stdout, worker.stderr) == ("gaze\n", "")
