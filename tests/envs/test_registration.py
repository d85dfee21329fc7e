"""Registration with gymnasium, in processes of their own, and both environment checkers on every id."""

from __future__ import annotations

import subprocess
import sys
import warnings

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env as check_gymnasium
from stable_baselines3.common.env_checker import check_env as check_baselines

from modcog import TASKS
from modcog.envs.registration import environment_id, register_envs
from tests.gymnasiums import MODE, PLUGINS

IDS = {f"modcog/{task}-v0" for task in TASKS}
LIST = "print(*sorted(i for i in gymnasium.registry if 'modcog' in i))"
HEAVY = "print(*(m for m in ('torch', 'neurogym', 'pydantic', 'matplotlib', 'scipy') if m in sys.modules))"


def output(code):
    done = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    "imports",
    [
        pytest.param("import gymnasium", marks=pytest.mark.skipif(not PLUGINS, reason="gymnasium 1.x has no plugins")),
        "import modcog, gymnasium",
        "import gymnasium, modcog",
        "import modcog.tasks.names, gymnasium",
    ],
)
def test_132_ids_whatever_is_imported(imports):
    assert set(output(f"{imports}; {LIST}").split()) == IDS


def test_an_id_can_name_the_module_to_import():
    made = f"gymnasium.make_vec('modcog:modcog/go-v0', num_envs=2, vectorization_mode='{MODE}')"
    assert output(f"import gymnasium; print({made}.unwrapped.task)") == "go\n"


NOT_INSTALLED = """
import importlib.metadata as metadata
installed, find = metadata.distribution, metadata.entry_points
def distribution(name):
    if name == "modcog-battery":
        raise metadata.PackageNotFoundError(name)
    return installed(name)
metadata.distribution = distribution
metadata.entry_points = lambda **k: [point for point in find(**k) if not point.value.startswith("modcog")]
"""


@pytest.mark.parametrize("imports", ["import modcog, gymnasium", "import gymnasium, modcog"])
def test_importing_modcog_is_enough_in_a_source_tree_without_the_plugin(imports):
    assert output(f"{NOT_INSTALLED}\nimport gymnasium; {LIST}") == "\n"
    assert set(output(f"{NOT_INSTALLED}\n{imports}; {LIST}").split()) == IDS


def test_importing_modcog_is_light():
    assert output(f"import modcog, sys; {HEAVY}; print('gymnasium' in sys.modules)") == f"\n{not PLUGINS}\n"


def test_the_plugin_is_light():
    assert output(f"import gymnasium, sys; {HEAVY}") == "\n"


def test_the_vector_environment_needs_neither_neurogym_nor_torch():
    made = "gymnasium.vector.VectorEnv; from modcog.envs.vector import go; go(num_envs=2).reset(seed=0)"
    heavy = HEAVY.replace("'pydantic', ", "").replace("'matplotlib', ", "")
    assert output(f"import gymnasium, gymnasium.vector, sys; {made}; {heavy}") == "\n"


def test_registering_again_changes_nothing():
    before = dict(gym.registry)
    register_envs()
    assert gym.registry == before


def test_the_id_of_a_task():
    assert environment_id("dlygointr") == "modcog/dlygointr-v0"


def test_make_hands_over_every_setting():
    options = {"rules": "published", "dt": 20, "sigma": 0.5, "dim_ring": 32, "trials_per_episode": None}
    env = gym.make("modcog/dlygointr-v0", timing={"delay": ("uniform", (300, 900))}, **options)
    settings = env.unwrapped.battery.settings
    assert {name: getattr(settings, name) for name in ("rules", "dt", "sigma", "dim_ring")} == {
        name: value for name, value in options.items() if name != "trials_per_episode"
    }
    assert env.unwrapped.trials_per_episode is None
    assert env.unwrapped.battery.tables.timings[0]["delay"] == ("uniform", (300, 900))
    assert gym.make(env.spec).unwrapped.battery == env.unwrapped.battery


KNOWN = (
    "observation space m",  # minus and plus infinity: noise is Gaussian and has no bounds
    "Official support for the `seed` function is dropped",  # neurogym's tools call it
    "opens no window",
)


def assert_nothing_new(caught):
    unexpected = [str(w.message) for w in caught if not any(known in str(w.message) for known in KNOWN)]
    assert not unexpected


@pytest.mark.parametrize("rules", ["corrected", "published"])
@pytest.mark.parametrize("task", TASKS)
def test_both_checkers_find_nothing(task, rules):
    env = gym.make(f"modcog/{task}-v0", rules=rules).unwrapped
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_gymnasium(env, skip_render_check=True)
        check_baselines(env, skip_render_check=True)
    assert_nothing_new(caught)


@pytest.mark.parametrize("options", [{}, {"rule_input": True, "trials_per_episode": None, "dim_ring": 8}])
def test_both_checkers_find_nothing_in_rendering(options):
    env = gym.make("modcog/dlydm1intrseqr-v0", render_mode="rgb_array", **options).unwrapped
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_gymnasium(env)
        check_baselines(env, skip_render_check=False)
    assert_nothing_new(caught)
