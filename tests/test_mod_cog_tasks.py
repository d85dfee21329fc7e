"""The drop-in module: names, keywords and default rules of the published one, and scripts written for that."""

from __future__ import annotations

import copy
import inspect
import json
import os
import pickle
import subprocess
import sys
import textwrap

import gymnasium
import neurogym
import numpy as np
import pytest

import modcog
import modcog.mod_cog_tasks as drop_in
from modcog import ModcogError

PUBLISHED = """
go rtgo dlygo anti rtanti dlyanti dm1 dm2 ctxdm1 ctxdm2 multidm dlydm1 dlydm2 ctxdlydm1 ctxdlydm2 multidlydm dms dnms
dmc dnmc
dlygointr dlygointl dlyantiintr dlyantiintl dlydm1intr dlydm1intl dlydm2intr dlydm2intl ctxdlydm1intr ctxdlydm1intl
ctxdlydm2intr ctxdlydm2intl multidlydmintr multidlydmintl dmsintr dmsintl dnmsintr dnmsintl dmcintr dmcintl dnmcintr
dnmcintl
goseqr rtgoseqr dlygoseqr antiseqr rtantiseqr dlyantiseqr dm1seqr dm2seqr ctxdm1seqr ctxdm2seqr multidmseqr dlydm1seqr
dlydm2seqr ctxdlydm1seqr ctxdlydm2seqr multidlydmseqr dmsseqr dnmsseqr dmcseqr dnmcseqr
goseql rtgoseql dlygoseql antiseql rtantiseql dlyantiseql dm1seql dm2seql ctxdm1seql ctxdm2seql multidmseql dlydm1seql
dlydm2seql ctxdlydm1seql ctxdlydm2seql multidlydmseql dmsseql dnmsseql dmcseql dnmcseql
dlygointseq dlyantiintseq dlydm1intseq dlydm2intseq ctxdlydm1intseq ctxdlydm2intseq multidlydmintseq dmsintseq
dnmsintseq dmcintseq dnmcintseq
"""
"""The functions of the published module."""

LEAKED = """
np gym ngym plt spaces scheduler ScheduleEnvs MultiEnvs RandomSchedule SequentialSchedule TrialWrapper EnvWithAdditions
"""
"""The other public names that ``import *`` gave there."""

PUBLISHED_NAMES, LEAKED_NAMES = PUBLISHED.split(), LEAKED.split()


def trials_of(env, n=200):
    """The noise-free way to look at an environment: conditions, observations and labels of n trials."""
    return [(env.new_trial(), env.ob, env.gt) for _ in range(n)]


# names


def test_93_published_names_and_all_132_tasks():
    assert len(PUBLISHED_NAMES) == len(set(PUBLISHED_NAMES)) == 93
    functions = dict(inspect.getmembers(drop_in, inspect.isfunction))
    assert {name for name in functions if not name.startswith("_")} == {*PUBLISHED_NAMES, *modcog.TASKS}


def test_import_star_gives_the_names_scripts_rely_on():
    namespace: dict = {}
    exec("from modcog.mod_cog_tasks import *", namespace)
    assert {*PUBLISHED_NAMES, *modcog.TASKS, *LEAKED_NAMES} == set(namespace) - {"__builtins__"}
    assert namespace["np"] is np
    assert namespace["ngym"] is neurogym
    assert namespace["gym"] is gymnasium
    assert namespace["spaces"] is neurogym.spaces


@pytest.mark.parametrize("name", PUBLISHED_NAMES)
def test_constructor_is_a_proper_function(name):
    task = name.replace("intseq", "intrseqr")
    function = getattr(drop_in, name)
    assert function.__name__ == name
    assert task in function.__doc__
    assert "published rules" in function.__doc__
    assert "\n" not in function.__doc__
    assert pickle.loads(pickle.dumps(function)) is function
    env = function()
    assert env.task == task
    assert env.unwrapped is env
    assert env.observation_space.shape == (33,)
    assert env.action_space.n == 17


def test_intseq_gives_the_trials_of_intrseqr():
    for name in ("dlygointseq", "ctxdlydm2intseq", "dnmcintseq"):
        env = getattr(drop_in, name)()
        env.seed(3)
        expected = modcog.Battery([name.replace("intseq", "intrseqr")], rules="published").sample(20, seed=3)
        for i in range(20):
            env.new_trial()
            np.testing.assert_array_equal(env.ob, expected[i].packed_observations)
            np.testing.assert_array_equal(env.gt, expected[i].packed_labels)


# rules


def test_published_rules_by_default():
    env = drop_in.go()
    assert "published" in str(env)
    trials = trials_of(env)
    assert all(len(ob) == 20 for _, ob, _ in trials)  # P2: 500 ms each of fixation, stimulus, delay and decision
    labels = {int(gt[-1]) for _, _, gt in trials}
    assert labels == set(range(16))  # P1: 0 instead of 16


def test_corrected_rules_when_asked():
    env = drop_in.go(rules="corrected")
    assert "corrected" in str(env)
    trials = trials_of(env)
    assert all(len(ob) == 15 for _, ob, _ in trials)
    assert {int(gt[-1]) for _, _, gt in trials} == set(range(1, 17))


def test_endless_stream_of_trials():
    env = drop_in.rtgo()
    env.reset(seed=0)
    ended = [env.step(0)[2:] for _ in range(50)]
    assert not any(terminated or truncated for terminated, truncated, _ in ended)
    assert sum(info["new_trial"] for *_, info in ended) == 5
    assert drop_in.rtgo(trials_per_episode=1).trials_per_episode == 1


def test_same_seed_same_trials():
    env, again, other = drop_in.dmcintl(), drop_in.dmcintl(), drop_in.dmcintl()
    for e, seed in ((env, 5), (again, 5), (other, 6)):
        e.seed(seed)
        e.new_trial()
    np.testing.assert_array_equal(env.ob, again.ob)
    assert env.ob.shape != other.ob.shape or (env.ob != other.ob).any()


# keywords


def test_dt_and_dim_ring():
    env = drop_in.dlygo(dt=20, dim_ring=32)
    env.new_trial()
    assert env.ob.shape == (100, 65)
    assert env.action_space.n == 33


def test_sigma_and_cohs_of_dm():
    env = drop_in.dm1(sigma=0, cohs=np.array([0.5, 0.1]))
    for _, ob, _ in trials_of(env, 50):
        peaks = np.unique(np.round(ob[-3, 1:17], 6))[-1]  # the last step of the stimulus; bumps may overlap
        assert peaks >= round(0.8 * 0.55, 6)
    strengths = {round(trial["coh1_mod1"], 6) for trial, *_ in trials_of(env)}
    assert strengths == {0.25, 0.75, 0.45, 0.55}
    noisy = drop_in.dm1(sigma=5)
    noisy.new_trial()
    assert 0.3 < noisy.ob[-4:-2, 17:].std() < 0.7  # 5 / sqrt(100 ms) on the ring that shows nothing


def test_cohs_of_dlydm():
    env = drop_in.dlydm2seqr(cohs=[0.2, 0.9])
    trials = [trial for trial, *_ in trials_of(env)]
    assert {trial["coh1_mod2"] for trial in trials} == {0.2, 0.9}
    assert all("coh1_mod1" not in trial for trial in trials)


def test_cohs_none_is_the_default():
    assert drop_in.dm1(cohs=None).battery == drop_in.dm1().battery


def test_rewards():
    env = drop_in.dlygo(rewards={"abort": -2, "correct": 3})
    env.reset(seed=0)
    assert env.step(1)[1] == -2
    while env.t_ind < env.start_ind["decision"]:
        env.step(0)
    right = int(env.gt[env.t_ind])
    assert env.step(right)[1] == 3


def test_timing():
    env = drop_in.dlydm1(timing={"delay": 1000, "fixation": ("constant", 200), "stim1": [300, 700]})
    steps = {
        tuple(trial[f"steps_{p}"] for p in ("fixation", "stim1", "delay", "decision")) for trial, *_ in trials_of(env)
    }
    assert steps == {(2, 3, 10, 2), (2, 7, 10, 2)}


def test_timing_takes_neurogyms_forms():
    from neurogym.utils.ngym_random import TruncExp

    exponential = ("truncated_exponential", [400, 200, 600])
    timing = {"delay": TruncExp(300, 200, 700), "fixation": lambda: 250, "stim1": exponential, "stim2": None,
              "decision": ("constant", 300)}  # fmt: skip
    env, again = drop_in.dlydm1(timing=timing), drop_in.dlydm1(timing=timing)
    env.seed(5), again.seed(5)
    for _ in range(30):
        trial = env.new_trial()
        assert trial == again.new_trial()
        assert 200 <= trial["duration_delay"] < 700
        assert 200 <= trial["duration_stim1"] < 600
        assert [trial[f"steps_{period}"] for period in ("fixation", "stim2", "decision")] == [2, 5, 3]


def test_cohs_are_taken_by_all_alike():
    for name in PUBLISHED_NAMES:
        env = getattr(drop_in, name)(cohs=[0.2, 0.4])
        assert hasattr(env, "cohs") == (modcog.parse(env.task).family == "decision")
    assert drop_in.go(cohs=[0.2]).new_trial() is not None


def test_timing_of_other_tasks_periods_is_passed_over():
    timing = {"delay": 300, "sample": 200, "decision": 400}
    (rtgo, *_), (dm2, *_), (dms, *_) = (
        trials_of(f(timing=timing), 1)[0] for f in (drop_in.rtgo, drop_in.dm2, drop_in.dms)
    )
    assert rtgo["steps_decision"] == dm2["steps_decision"] == dms["steps_decision"] == 4
    assert "steps_delay" not in rtgo
    assert "steps_delay" not in dm2
    assert (dms["steps_sample"], dms["steps_delay"]) == (2, 3)


@pytest.mark.parametrize(
    ("made", "task"),
    [
        (lambda: drop_in.go(reaction=True), "rtgo"),
        (lambda: drop_in.go(dly=True, integrate=-1), "dlygointl"),
        (lambda: drop_in.dlyanti(seq=True, integrate=True), "dlyantiintrseqr"),
        (lambda: drop_in.dlygointr(integrate=1), "dlygointr"),
        (lambda: drop_in.rtgo(anti=True, seq=-1), "rtantiseql"),
        (lambda: drop_in.dm1(stim_mod=[False, True]), "dm2"),
        (lambda: drop_in.dm1(w_mod=(1, 1), stim_mod=(True, False)), "dm1"),
        (lambda: drop_in.ctxdm1(w_mod=np.array([1, 1])), "multidm"),
        (lambda: drop_in.multidm(w_mod=(0, 1), delaycomparison=True, seq=1), "ctxdlydm2seqr"),
        (lambda: drop_in.dms(matchto="category", matchgo=False), "dnmc"),
        (lambda: drop_in.dnmsseql(integrate=1), "dnmsintrseql"),
    ],
)
def test_keywords_that_made_one_task_another(made, task):
    assert made().task == task


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: drop_in.go(cohs=[2.0]), "cohs: coherences.*2.0"),
        (lambda: drop_in.dm1(anti=True), "unknown option 'anti'"),
        (lambda: drop_in.dm1(w_mod=(2, 1)), r"w_mod=\(2, 1\): none of the 132 tasks is dm1 .*\(1, 0\) or \(0, 1\)"),
        (lambda: drop_in.rtgo(integrate=1), "integrate=1: none of the 132 tasks is rtgo"),
        (lambda: drop_in.dms(matchto="colour"), "matchto='colour'.*'sample' or 'category'"),
        (lambda: drop_in.go(timing={"dely": 1}), "unknown period in timing 'dely'.*nearest: 'delay'"),
        (lambda: drop_in.go(timing=500), "timing: got 500"),
        (lambda: drop_in.go(timing={"delay": ("until", 900)}), "kind of duration in timing of delay 'until'"),
        (lambda: drop_in.go(rules="publishd", timing={"delay": 1}), "unknown rule set 'publishd'.*'published'"),
        (lambda: drop_in.dm1(cohs=[2.0]), "cohs: coherences.*2.0"),
        (lambda: drop_in.go(dim_ring=15), "dim_ring: got 15, must be even"),
    ],
)
def test_bad_keywords_say_so_in_one_line(made, says):
    with pytest.raises(ModcogError, match=says) as error:
        made()
    assert "\n" not in str(error.value)


# the attributes of the published classes

ATTRIBUTES = {
    "go": {"anti": False, "integrate": 0, "omega": 0.01, "reaction": False, "seq": 0},
    "rtantiseql": {"anti": True, "integrate": 0, "reaction": True, "seq": -1},
    "dlygointr": {"anti": False, "integrate": 1, "reaction": False, "seq": 0, "dly": True},
    "dm2": {"cohs": [0.08, 0.16, 0.32, 0.64], "delaycomparison": False, "integrate": 0, "omega": 0.01, "seq": 0,
            "stim_mod1": False, "stim_mod2": True, "w_mod1": 1, "w_mod2": 1},
    "ctxdlydm1intl": {"cohs": [0.3, 0.6, 1.0], "delaycomparison": True, "integrate": -1, "seq": 0,
                      "stim_mod1": True, "stim_mod2": True, "w_mod1": 1, "w_mod2": 0},
    "dmsseqr": {"half_ring": 8, "integrate": 0, "matchgo": True, "matchto": "sample", "omega": 0.01, "seq": 1},
    "dnmcintseq": {"half_ring": 8, "integrate": 1, "matchgo": False, "matchto": "category", "seq": 1},
}  # fmt: skip
CLASSES = {"anti": "_Reach", "cohs": "_DMFamily", "half_ring": "_DelayMatch1DResponse"}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_published_attributes_are_true_and_cannot_be_written(name):
    env = getattr(drop_in, name)()
    for attribute, value in ATTRIBUTES[name].items():
        found = getattr(env, attribute)
        assert (found, type(found)) == (value, type(value) if attribute != "cohs" else type(found))
        with pytest.raises(
            AttributeError, match=f"^{attribute}: got 0.5, but it is fixed in <ScriptEnv .*with [a-z_]+="
        ):
            setattr(env, attribute, 0.5)
        assert getattr(env, attribute) == value
    for attribute, of in CLASSES.items():
        mine = attribute in ATTRIBUTES[name]
        assert isinstance(env, getattr(drop_in, of)) == mine
        assert hasattr(env, attribute) == mine


def test_attributes_follow_the_keywords():
    env = drop_in.dms(dim_ring=32, omega=0.02, matchto="category")
    assert (env.half_ring, env.omega, env.matchto, env.sigma) == (16, 0.02, "category", 0.1)
    assert drop_in.dm1(cohs=np.array([0.5, 0.1])).cohs == [0.5, 0.1]
    assert drop_in.ctxdm1(w_mod=(1, 1)).w_mod == (1, 1)


@pytest.mark.parametrize(
    ("name", "write", "argument"),
    [
        ("dm1", lambda env: setattr(env, "sigma", 0), "sigma="),
        ("dm1", lambda env: setattr(env, "w_mod1", 0), "w_mod="),
        ("dm1", lambda env: setattr(env, "stim_mod2", True), "stim_mod="),
        ("dm1", lambda env: env.cohs.__setitem__(0, 0.9), "cohs="),
        ("dms", lambda env: setattr(env, "half_ring", 4), "dim_ring="),
        ("dlygo", lambda env: env.timing.__setitem__("delay", 2000), "timing="),
        ("dlygo", lambda env: env.timing.update(delay=2000), "timing="),
        ("dlygo", lambda env: setattr(env, "rules", "corrected"), "rules="),
    ],
)
def test_writes_name_the_argument(name, write, argument):
    env = getattr(drop_in, name)()
    with pytest.raises(AttributeError, match=f"<ScriptEnv .*{argument}") as error:
        write(env)
    assert "\n" not in str(error.value)


def test_writes_that_took_effect_still_do():
    env = drop_in.go()
    env.abort, env.rewards["abort"], env.note = True, -2, "mine"
    env.reset(seed=0)
    _, reward, *_, info = env.step(1)
    assert (reward, info["new_trial"], env.note) == (-2, True, "mine")


@pytest.mark.parametrize("name", ["go", "rtgo", "dlygointr", "dm1", "dlydm1intl", "dms", "dmcintlseqr"])
def test_timing_is_numbers_of_the_current_trial(name):
    env = getattr(drop_in, name)()
    family = {"fixation", "stimulus", "delay", "decision"} if isinstance(env, drop_in._Reach) else set()
    assert all(type(ms) in (int, float) for ms in env.timing.values()), "before the first trial, those expected"
    for _ in range(20):
        trial = env.new_trial()
        assert set(env.timing) == family | set(env.start_ind)
        for period, ms in env.timing.items():
            assert ms == trial.get(f"duration_{period}", 0)
            assert ms // env.dt == env.end_ind.get(period, 0) - env.start_ind.get(period, 0)
        assert list(env._duration.items()) == [(p, env.end_t[p] - env.start_t[p]) for p in env.start_t]
        assert sum(env._duration.values()) == env.tmax
    assert env.timing["decision"] == int(env.timing["decision"])
    assert len(range(env.timing["decision"] // env.dt)) == env.end_ind["decision"] - env.start_ind["decision"]


def test_statistics_of_lengths_are_drawn_although_timing_is_numbers():
    stats = drop_in.dlygointr().trial_length_stats(500)
    assert (stats["max"], stats["std"] > 2) == (26, True)
    assert {drop_in.dm1().sample_time("fixation") for _ in range(30)} == {200, 300, 400}


def test_the_ring_that_shows_the_stimulus_has_a_name():
    env, other = drop_in.dms(sigma=0), drop_in.go()
    for _ in range(10):
        trial = env.new_trial()
        ring = env.observation_space.name["stimulus"]
        assert ring == env.observation_space.name[f"stimulus_mod{trial['modality']}"]
        assert env.ob[:, ring].any()
        assert np.count_nonzero(env.ob[:, 1:]) == np.count_nonzero(env.ob[:, ring])
    twin = copy.deepcopy(other)
    for one in (other, twin):
        one.new_trial(modality=2 if one is twin else 1)
    assert (other.observation_space.name["stimulus"], twin.observation_space.name["stimulus"]) == (
        range(1, 17),
        range(17, 33),
    )
    assert "stimulus" not in drop_in.dm1().observation_space.name
    env.observation_space = replaced = drop_in.spaces.Box(-1, 1, shape=(3,))
    env.new_trial()
    assert env.observation_space is replaced


def test_new_trial_takes_what_all_trials_of_the_task_are():
    env = drop_in.dlyantiseql()
    assert env.new_trial(anti=True, seq=-1, integrate=0, ground_truth=4)["ground_truth"] == 4
    with pytest.raises(ModcogError, match=r"anti: got False, but all trials of dlyantiseql have True; .*with anti="):
        env.new_trial(anti=False)


def test_listing_finds_the_names_that_the_published_module_had():
    listed = {name for name in dir(drop_in) if not name.startswith("_")}
    assert listed == {*PUBLISHED_NAMES, *modcog.TASKS, *LEAKED_NAMES}
    classes = {name for name, _ in inspect.getmembers(drop_in, inspect.isclass) if not name.startswith("_")}
    assert classes <= set(LEAKED_NAMES)
    for helper in ("_get_dist", "_gaussianbump", "_cosinebump", "_MultiModalityStimulus"):
        assert callable(getattr(drop_in, helper))


# the words of older scripts


def test_angles_of_the_decision_family_are_those_shown():
    env = drop_in.ctxdlydm1(sigma=0)
    for trial, ob, _ in trials_of(env, 30):
        for stimulus in (1, 2):
            step = env_start(trial, f"stim{stimulus}")
            ring = ob[step, 17:33]
            angle, strength = trial[f"theta{stimulus}"], trial[f"coh{stimulus}_mod2"]
            assert np.argmax(ring) * 2 * np.pi / 16 == pytest.approx(angle)
            assert ring.max() == pytest.approx(0.8 * strength)


def test_ground_truth_and_angles_of_the_match_family():
    env = drop_in.dnms(sigma=0)
    for trial, ob, gt in trials_of(env, 60):
        rings = ob[:, 1:17] + ob[:, 17:33]
        sample = np.argmax(rings[env_start(trial, "sample")]) * 2 * np.pi / 16
        test = np.argmax(rings[env_start(trial, "test")]) * 2 * np.pi / 16
        assert (trial["sample_theta"], trial["test_theta"]) == pytest.approx((sample, test))
        assert trial["ground_truth"] == ("match" if sample == test else "non-match")
        assert trial["ground_truth"] == "non-match" or gt.max() == 0


def test_ground_truth_of_the_go_family_is_the_answer():
    for trial, _, gt in trials_of(drop_in.antiseql(), 40):
        assert gt[-10] == (1 + trial["ground_truth"]) % 16
        assert (trial["anti"], trial["integrate"], trial["seq"]) == (True, 0, -1)


def env_start(trial, period):
    """First step of a period: the steps of those before it, which stand in order among the conditions."""
    lasts = {name[len("steps_") :]: steps for name, steps in trial.items() if name.startswith("steps_")}
    return sum(list(lasts.values())[: list(lasts).index(period)])


def test_multienvs_resets_as_gymnasium_does():
    env = drop_in.MultiEnvs([drop_in.go(), drop_in.dm1()], env_input=True)
    env.set_i(1)
    observation, info = env.reset(no_step=True)
    assert observation.shape == env.observation_space.shape == (35,)
    assert observation[-2:].tolist() == [0, 1]
    assert info == {}


def test_reset_takes_a_seed_as_it_did():
    env, again = drop_in.dm1(), drop_in.dm1()
    np.testing.assert_array_equal(env.reset(3)[0], again.reset(seed=3)[0])
    assert env.trial == again.trial


def test_reset_through_a_step_function():
    env = drop_in.go()

    def doubled(action):
        ob, *rest = env.step(action)
        return 2 * ob, *rest

    ob, _ = env.reset(seed=0, step_fn=doubled)
    np.testing.assert_array_equal(ob, 2 * env.ob[0])
    assert env.t_ind == 0


class Circling(drop_in.EnvWithAdditions):
    """A script's own task: the answer goes round during the decision."""

    def __init__(self, seq, dt=50):
        super().__init__(dt=dt)
        self.omega, self.dim_ring, self.seq = 0.01, 8, seq
        self.timing = {"fixation": 100, "decision": 600}
        self.observation_space = drop_in.spaces.Box(-np.inf, np.inf, shape=(1,), name={"fixation": 0})
        self.action_space = drop_in.spaces.Discrete(9, name={"fixation": 0, "choice": range(1, 9)})

    def _new_trial(self, **kwargs):
        self.add_period(["fixation", "decision"])
        self.add_ob(1, "fixation", where="fixation")
        self.my_set_groundtruth(4, period="decision", where="choice", seq=self.seq)
        return {}

    def _step(self, action):
        return self.ob_now, float(action == self.gt_now), False, False, {}


@pytest.mark.parametrize(
    ("seq", "answers"),
    [
        (+1, [5, 5, 6, 6, 7, 7, 0, 0, 1, 1, 2, 2]),  # one position per 100 ms, modulo 8
        (-1, [5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0]),
        (0, [5] * 12),
    ],
)
def test_own_task_on_env_with_additions(seq, answers):
    _, labels = neurogym.Dataset(Circling(seq), batch_size=1, seq_len=14)()
    assert labels[:, 0].tolist() == [0, 0, *answers]


def test_labels_of_a_trial_can_be_overwritten_as_in_an_own_task():
    env = drop_in.dm1()
    assert isinstance(env, drop_in.EnvWithAdditions)
    env.reset(seed=0)
    env.my_set_groundtruth(3, "decision", where="choice", seq=1)
    assert env.gt[env.start_ind["decision"] :].tolist() == [4, 5]
    for _ in range(env.start_ind["decision"]):
        env.step(0)
    assert env.step(4)[1] == 1


def test_own_task_that_holds_one_answer_throughout():
    env = Circling(+1)
    env.new_trial()
    env.my_set_groundtruth(0)
    assert env.gt.tolist() == [0] * 14


# whole scripts

THE_LINE = "from Mod_Cog.mod_cog_tasks import *"

DATA_FROM_82_TASKS = """
    from neurogym.wrappers import ScheduleEnvs
    from neurogym.utils.scheduler import RandomSchedule
    from neurogym.wrappers.block import MultiEnvs
    from neurogym import Dataset
    from Mod_Cog.mod_cog_tasks import *

    base = [go(), rtgo(), dlygo(), anti(), rtanti(), dlyanti(), dm1(), dm2(), ctxdm1(), ctxdm2(), multidm(),
            dlydm1(), dlydm2(), ctxdlydm1(), ctxdlydm2(), multidlydm(), dms(), dnms(), dmc(), dnmc()]
    delay = "dlygo dlyanti dlydm1 dlydm2 ctxdlydm1 ctxdlydm2 multidlydm dms dnms dmc dnmc".split()
    interval = [globals()[name + side]() for name in delay for side in ("intr", "intl")]
    sequence = [globals()[env.task + side]() for side in ("seqr", "seql") for env in base]
    envs = base + interval + sequence

    analysis = MultiEnvs(envs, env_input=True)
    env = ScheduleEnvs(envs, schedule=RandomSchedule(len(envs)), env_input=True)
    dataset = Dataset(env, batch_size=2, seq_len=350)
    inputs, labels = dataset()
    rule = inputs[:, :, 33:]
    print(json.dumps({
        "tasks": len(envs), "inputs": inputs.shape, "labels": labels.shape, "actions": int(dataset.env.action_space.n),
        "one rule": bool((rule.sum(axis=-1) == 1).all()), "rules seen": int(rule.any(axis=(0, 1)).sum()),
        "answers": sorted(set(labels.flatten().tolist())),
    }))
"""

TRAINING = """
    import torch
    import torch.nn as nn
    from neurogym import Dataset
    from Mod_Cog.mod_cog_tasks import *

    torch.manual_seed(0)
    kwargs = {"dt": 100, "dim_ring": 8}
    envs = [f(**kwargs) for f in (rtgo, rtanti)]
    schedule = SequentialSchedule(len(envs))
    env = ScheduleEnvs(envs, schedule=schedule, env_input=True)
    env.seed(0)
    dataset = Dataset(env, batch_size=16, seq_len=20)
    env = dataset.env

    class Net(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.rnn = nn.RNN(env.observation_space.shape[0], size, nonlinearity="relu")
            self.out = nn.Linear(size, env.action_space.n)

        def forward(self, x):
            return self.out(self.rnn(x)[0])

    net = Net(32)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for step in range(250):
        inputs, labels = dataset()
        loss = nn.CrossEntropyLoss()(net(torch.from_numpy(inputs)).flatten(0, 1), torch.from_numpy(labels).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    with torch.no_grad():  # trials back to back, as it has learnt them
        inputs, labels = dataset()
        actions = net(torch.from_numpy(inputs)).argmax(-1).numpy()
    right = (actions == labels)[labels > 0]

    env.reset(no_step=True)
    for _ in range(100):
        trial = env.new_trial()
        ob, gt = env.ob, env.gt
        with torch.no_grad():
            action = net(torch.from_numpy(ob[:, np.newaxis, :]).float())[:, 0].argmax(-1).numpy()
        assert action.shape == gt.shape
        assert (1 + trial["ground_truth"]) % 8 == gt[-1]
    print(json.dumps({"first": np.mean(losses[:5]), "last": np.mean(losses[-5:]), "right": np.mean(right)}))
"""

ONE_TRIAL = """
    from Mod_Cog.mod_cog_tasks import *

    env = dlygoseqr(dt=50)
    ob, info = env.reset(seed=1)
    trial = env.new_trial(ground_truth=3)
    fig, (top, bottom) = plt.subplots(2, 1)
    top.imshow(env.ob.T, aspect="auto")
    bottom.plot(env.gt)
    bottom.axvline(env.start_ind["decision"])
    fig.savefig("trial.png")

    env.reset()
    rewards = []
    for _ in range(200):
        ob, reward, terminated, truncated, info = env.step(int(env.gt_now))
        rewards.append(reward)
    record = ngym.utils.plot_env(env, num_steps=60)
    print(json.dumps({"answers": trial["ground_truth"], "labels": env.gt.tolist(), "reward": sum(rewards)}))
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """What the scripts print, after the one line is changed; run in a fresh process, each in its own namespace."""
    folder = tmp_path_factory.mktemp("scripts")
    names = {"data": DATA_FROM_82_TASKS, "training": TRAINING, "trial": ONE_TRIAL}
    for name, text in names.items():
        assert text.count(THE_LINE) == 1
        text = text.replace(THE_LINE, THE_LINE.replace("Mod_Cog", "modcog"))
        (folder / f"{name}.py").write_text("import json\n" + textwrap.dedent(text))
    run = "; ".join(["import runpy", *(f"runpy.run_path('{name}.py', run_name='__main__')" for name in names)])
    environment = {**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", run], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return folder, dict(zip(names, printed, strict=True))


def test_script_that_makes_data_from_82_tasks(scripts):
    said = scripts[1]["data"]
    assert said["tasks"] == 82
    assert said["inputs"] == [350, 2, 33 + 82]
    assert said["labels"] == [350, 2]
    assert said["actions"] == 17
    assert said["one rule"]
    assert said["rules seen"] >= 20
    assert set(said["answers"]) <= set(range(16))  # P1: no 16


def test_script_that_trains_a_network(scripts):
    said = scripts[1]["training"]
    assert said["last"] < said["first"] / 10
    assert said["right"] > 0.95


def test_script_that_plots_a_trial_and_steps(scripts):
    folder, said = scripts
    assert (folder / "trial.png").stat().st_size > 5000
    assert said["trial"]["answers"] == 3
    assert said["trial"]["reward"] > 0
