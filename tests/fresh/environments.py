"""Install the package in fresh environments, the core and each extra alone, and run there what it offers.

The extras are read from pyproject.toml. In the environment of an extra every call of ``CALLS`` is made, in an empty
folder. Each must either work or say in one line which other extra it needs; and every extra must make a call work that
the core refuses. With ``docs`` the site is built. The tests of the repository that need nothing else are run too, if
asked for.

    python tests/fresh/environments.py                             # the core and every extra, this Python
    python tests/fresh/environments.py --python 3.10 3.12 core     # the core with other Pythons
    python tests/fresh/environments.py --tests --python 3.13 core  # and the tests
    python tests/fresh/environments.py --bar core                  # fails if installing took over 60 s or 250 MB

A Python is looked for as ``pythonX.Y`` and below ``~/.pyenv/versions``. pip keeps what it has downloaded in its cache.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
FORMATS = sorted(path.stem for path in (ROOT / "modcog/data/formats").glob("[!_]*.py"))

MOST_SECONDS, MOST_MB = 60, 250
"""Bounds of the core alone."""

GRID = "settings: {steps: 2, tasks: [go], hidden: 8, eval_trials: 2}\narms: [{arch: gru}]\naxes: {seed: [0]}\n"
SMALL = "--tasks go --hidden 8 --batch-size 4 --eval-trials 2 --steps 2"

STEP = """
import gymnasium, modcog
for task in modcog.TASKS:
    env = gymnasium.make(f"modcog/{task}-v0")
    _, info = env.reset(seed=0)
    over = False
    while not over:
        *_, over, _, info = env.step(env.unwrapped.gt[env.unwrapped.t_ind])
    assert info["performance"] == 1, task
vector = gymnasium.make_vec("modcog/go-v0", num_envs=4)
vector.reset(seed=0)
vector.step(vector.action_space.sample())
"""

DATASET = """
from modcog.extras import require
require("neurogym", "a data set of neurogym's")
import gymnasium, modcog, neurogym
env = gymnasium.make("modcog/go-v0", trials_per_episode=None)
observations, labels = neurogym.Dataset(env, batch_size=2, seq_len=9)()
assert observations.shape[:2] == (9, 2)
"""

PSYCHOMETRIC = """
from modcog.evaluation import IdealObserver, score
observer = IdealObserver("dm1")
trials = observer.battery.sample(200, seed=1)
assert 0 < score(observer.act(trials), trials).psychometric(task="dm1").threshold < 1
"""

CROISSANT = """
from modcog.extras import require
require("croissant", "the check")
import mlcroissant
mlcroissant.Dataset("set/croissant.json")
"""

DASK = """
from modcog.cli import main
from modcog.extras import require
require("dask", "a cluster")
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=1, dashboard_address=None) as cluster:
        words = ["export", "--tasks", "go", "--trials-per-task", "20", "--dask", cluster.scheduler_address]
        assert main([*words, "--out", "by_dask"]) == 0
"""

WINDOW = """
import os
os.environ["SDL_VIDEODRIVER"] = "dummy"
import modcog
from modcog.play.window import Window
Window(modcog.Battery(["go"])).close()
"""

CALLS = {
    "list": ["modcog list"],
    "show": ["modcog show dlygointr --plot trial.png"],
    "sample": ["modcog sample modcog132 --per-task 2"],
    "play": ["modcog play go --terminal"],
    "window": [WINDOW],
    "step": [STEP],
    "drop-in": ["from modcog.mod_cog_tasks import *; env = dlygointr(); env.reset(); env.step(0)"],
    "neurogym": [DATASET],
    "live": ["import modcog; next(iter(modcog.data.LiveDataset(modcog.Battery(['go']), batch_size=2, seq_len=9)))"],
    **{
        form: [
            f"modcog export --tasks go --trials-per-task 20 --format {form} --out {form}",
            f"modcog verify {form}",
            f"import modcog; modcog.data.load({form!r})",
        ]
        for form in FORMATS
    },
    "dask": [DASK],
    "croissant": ["modcog export --tasks go --trials-per-task 20 --out set", CROISSANT],
    "ceiling": ["modcog ceiling modcog132", "modcog ceiling go --n-trials 50 --jobs 2"],
    "psychometric": [PSYCHOMETRIC],
    "evaluate": ["modcog evaluate own_network:predict --tasks go --n-trials 2"],
    "model": ["import modcog; modcog.models.build('lm-rnn', n_inputs=33, n_outputs=17, hidden=16, density=0.5)"],
    "train": [
        f"modcog train --arch gru {SMALL} --out run",
        "modcog train --resume --steps 3 --out run",
        "modcog evaluate run --n-trials 2",
    ],
    "sweep": ["modcog sweep grid.yaml --out sweep"],
    "sweep to parquet": ["modcog sweep grid.yaml --table parquet --out sweep"],
    "benchmark": [f"modcog benchmark gru {SMALL} --seeds 1 --n-trials 2 --out benchmark"],
    "validate": ["modcog validate C1 --tables tables"],
    "agents": ["import modcog; modcog.envs.sb3.vec_env('go', 2).reset()"],
    "analysis": ["import modcog; modcog.analysis.hidden_states"],
}
"""Name of each call, and the commands and scripts to be run one after the other."""


class Outcome(NamedTuple):
    """The calls that worked in an environment, the complaints, and a line about it."""

    worked: set[str]
    wrong: list[str]
    line: str


def main() -> int:
    """Run the program; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("extras", nargs="*", help="core, or extras of pyproject.toml; default: the core and each extra")
    parser.add_argument("--python", nargs="+", default=["{}.{}".format(*sys.version_info)], metavar="X.Y")
    parser.add_argument("--jobs", type=int, default=2, help="environments at a time")
    parser.add_argument("--tests", action="store_true", help="run the tests that need no package that is not there")
    parser.add_argument("--bar", action="store_true", help="fail where the core takes long to install, or much space")
    parser.add_argument("--constraint", type=Path, help="file for pip; without it the newest versions are taken")
    options = parser.parse_args()
    chosen = [extra for extra in options.extras or ["core", *EXTRAS] if extra not in ("all", "test")]
    if unknown := set(chosen) - {"core", *EXTRAS}:
        parser.error(f"no extra is called {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", place, ROOT], check=True)
        wheel = next(place.glob("*.whl"))
        jobs = [(python, extra) for python in options.python for extra in dict.fromkeys(["core", *chosen])]
        with ThreadPoolExecutor(options.jobs) as executor:
            results = dict(zip(jobs, executor.map(lambda job: check(place, wheel, *job, options), jobs), strict=True))
    failed = False
    for (python, extra), outcome in results.items():
        gained = outcome.worked - results[python, "core"].worked
        useless = ["it makes nothing work that the core refuses"] if extra != "core" and not gained else []
        print(f"{python} {extra}" + (f" gains {', '.join(sorted(gained))}" if gained else ""))
        for problem in [*outcome.wrong, *useless]:
            failed = True
            print(f"  WRONG: {problem}")
    print(f"{sum(not outcome.wrong for outcome in results.values())} environments right of {len(results)}")
    return int(failed)


def check(place: Path, wheel: Path, python: str, extra: str, options: argparse.Namespace) -> Outcome:
    """Make an environment, install the package with an extra, make all calls, and remove it."""
    home = place / f"{python}-{extra}"
    work = home / "work"
    start = time.monotonic()
    subprocess.run([interpreter(python), "-m", "venv", home], check=True)
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    what = wheel if extra == "core" else f"{wheel}[{extra}]"
    more = ["-c", options.constraint.resolve()] if options.constraint else []
    made = run([programs / "python", "-m", "pip", "install", "-q", *more, str(what)], place)
    seconds = time.monotonic() - start
    if made.returncode:
        return Outcome(set(), [f"pip: {last_line(made)}"], "not installed")
    packages = next(home.rglob("site-packages"))
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file()) / 1e6
    shutil.copytree(ROOT / "docs/results/C1", work / "tables")
    (work / "grid.yaml").write_text(GRID, encoding="utf-8")
    (work / "own_network.py").write_text("def predict(x):\n    return x[..., :17]\n", encoding="utf-8")
    wrong, worked = [], set()
    if extra == "core" and (packages / "torch").exists():
        wrong.append("torch is installed")
    if extra == "core" and options.bar and (seconds > MOST_SECONDS or size > MOST_MB):
        wrong.append(f"installed in {seconds:.0f} s, {size:.0f} MB; at most {MOST_SECONDS} s, {MOST_MB} MB")
    for name, steps in CALLS.items():
        problem = make(steps, programs, work, extra)
        if problem is None:
            worked.add(name)
        elif problem:
            wrong.append(f"{name}: {problem}")
    line = f"installed in {seconds:.0f} s, {size:.0f} MB, {len(worked)} of {len(CALLS)} calls work"
    if extra == "docs":
        built = run([programs / "mkdocs", "build", "--strict", "--quiet", "--site-dir", work / "site"], ROOT)
        wrong += [f"site: {last_line(built)}"] if built.returncode else []
    if options.tests:
        said, problem = tests(programs, extra)
        line += f"; tests: {said}"
        wrong += problem
    shutil.rmtree(home)
    print(f"{python} {extra}: {line}", flush=True)
    return Outcome(worked, wrong, line)


def make(steps: list[str], programs: Path, work: Path, extra: str) -> str | None:
    """Make a call; return None if it worked, an empty text if it named another extra, or else what is wrong."""
    for step in steps:
        words = step.split()
        if words[0] == "modcog":
            words[0] = str(programs / "modcog")
        else:
            (work / "script.py").write_text(step, encoding="utf-8")
            words = [str(programs / "python"), "script.py"]
        done = run(words, work)
        if done.returncode:
            hint = re.search(rf'pip install "{PROJECT["name"]}\[([\w-]+)\]"', done.stderr)
            named_another = hint and hint[1] not in {extra, *included(extra)}
            newer = re.search(r"needs Python [\d.]+ or later", done.stderr)
            return "" if named_another or newer else last_line(done)
    return None


def included(extra: str) -> set[str]:
    """The extras that an extra of pyproject.toml includes."""
    found = {name for text in EXTRAS.get(extra, ()) for name in re.findall(r"\[([\w,-]+)\]", text)}
    return {name for names in found for name in names.split(",")}


def tests(programs: Path, extra: str) -> tuple[str, list[str]]:
    """Run the tests of the repository that need nothing more than is there; return their last line and what failed."""
    run([programs / "python", "-m", "pip", "install", "-q", "pytest", "hypothesis", "psutil"], ROOT)
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--skip-missing", "tests"]
    done = run([programs / "python", *words], ROOT)
    return last_line(done), [f"tests: {line}" for line in re.findall(r"^(?:FAILED|ERROR) .*", done.stdout, re.M)]


def run(words: list[object], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program, with nothing but its environment to find modules in."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MODCOG"))}
    return subprocess.run(
        list(map(str, words)), cwd=folder, capture_output=True, text=True, env=variables, stdin=subprocess.DEVNULL
    )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The last line that a program wrote."""
    return next(reversed((done.stderr.strip() or done.stdout.strip()).splitlines()), f"exit code {done.returncode}")


def interpreter(version: str) -> str:
    """The path of a Python of this version."""
    if version == "{}.{}".format(*sys.version_info):
        return sys.executable
    installed = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python"))
    if found := [*map(str, installed), shutil.which(f"python{version}")][0]:
        return found
    raise SystemExit(f"no Python {version} was found")


if __name__ == "__main__":
    sys.exit(main())
