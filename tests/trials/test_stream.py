"""Streams: lanes of trials back to back, read back and judged by the oracle."""

from __future__ import annotations

import copy
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from oracle import Array, Misread, Setting, disagreements, durations, evenness, labels, legal_steps, parse, read

import modcog
from modcog.errors import ModcogError
from modcog.trials.stream import Stream

TASKS = ("go", "rtantiseqr", "gointl", "ctxdm1", "multidlydmintlseqr", "dlydm2", "dms", "dnmcintr", "dmcseql")
"""All families, both extensions, both signs."""


def battery(setting: Setting, tasks: tuple[str, ...] = TASKS, **more: Any) -> modcog.Battery:
    """A battery with the rule input, by which a step's task is known, and without noise unless asked for."""
    return modcog.Battery(list(tasks), **{"sigma": 0.0, "rule_input": True, **setting.keywords(), **more})


def pieces(observations: Array, answers: Array) -> Iterator[tuple[Array, Array]]:
    """The trials of one lane (T, C), (T,): one begins where the fixation cue comes on again."""
    cue = observations[:, 0] > 0.5
    begins = [0, *(np.flatnonzero(cue[1:] & ~cue[:-1]) + 1), len(cue)]
    for begin, end in pairwise(begins):
        yield observations[begin:end], answers[begin:end]


def as_batch(found: list[tuple[Array, Array]], n: int) -> SimpleNamespace:
    """Whole trials as the oracle takes them."""
    lengths = np.array([len(answers) for _, answers in found])
    shape = (len(found), lengths.max())
    observations, answers = np.zeros((*shape, 1 + 2 * n), np.float32), np.full(shape, -100)
    for row, (seen, said) in enumerate(found):
        observations[row, : len(said)], answers[row, : len(said)] = seen[:, : 1 + 2 * n], said
    task = np.array([rule(seen, n) for seen, _ in found])
    start = (observations[:, :, 0] > 0.5).sum(1)
    return SimpleNamespace(observations=observations, labels=answers, task=task, lengths=lengths, decision_start=start)


def rule(observations: Array, n: int) -> int:
    """The task of a trial: its rule input is one-hot, and the same in all its steps."""
    one_hot = observations[:, 1 + 2 * n :]
    assert (one_hot.sum(1) == 1).all()
    assert (one_hot == one_hot[0]).all()
    return int(one_hot[0].argmax())


def check_cut(observations: Array, answers: Array, setting: Setting) -> str:
    """What is wrong with a trial that the batch's end may have cut; "" if nothing."""
    name = TASKS[rule(observations, setting.n)]
    before = observations[:, 0] > 0.5
    if before.all():  # no decision yet
        return "" if not answers.any() else f"{name}: a response before the decision"
    missing = int(legal_steps(durations_of(name, setting), setting.dt)[0]) - int((~before).sum())
    whole = np.concatenate([observations, np.repeat(observations[-1:], missing, 0)])  # nothing changes in a decision
    try:
        expected = labels(read(name, whole[None], setting), len(whole))[:, 0, : len(answers)]
    except Misread as error:
        return f"{name}: {error}"
    return "" if (answers == expected).all(1).any() else f"{name}: {answers} and not {expected[0]}"


def durations_of(name: str, setting: Setting) -> Any:
    """How long the decision of a task lasts."""
    return durations(parse(name), setting)["decision"]


# --- the trials of a stream --------------------------------------------------------------------


@pytest.mark.parametrize("rules", ["corrected", "published"])
@pytest.mark.parametrize(("dt", "n", "length"), [(100, 16, 350), (30, 8, 400), (50, 4, 61)])
def test_every_label_of_a_stream_is_right(rules: str, dt: float, n: int, length: int) -> None:
    """Whole trials and those that the batch's end cuts, wherever it cuts them."""
    setting = Setting(dt=dt, n=n, rules=rules)
    stream = battery(setting).stream(48, length, seed=1, batch_first=True)
    whole, cut = [], []
    for observations, answers in (next(stream), stream[7]):
        for lane, said in zip(observations, answers, strict=True):
            *inner, last = pieces(lane, said)
            whole += inner
            cut.append(last)
    assert disagreements(TASKS, as_batch(whole, n), setting) == {}
    assert [complaint for trial in cut if (complaint := check_cut(*trial, setting))] == []
    decided = [(seen[:, 0] < 0.5).any() for seen, _ in cut]
    assert 10 < sum(decided) < len(cut) - 10, "not all kinds of cut were seen"


def test_every_batch_starts_with_fresh_trials() -> None:
    """So that no label depends on what came before: the first steps of all lanes are fixation."""
    stream = battery(Setting()).stream(64, 33, seed=2)
    for _ in range(5):
        observations, answers = next(stream)
        assert (observations[:2, :, 0] == 1).all()
        assert not observations[:2, :, 1:33].any()
        assert not answers[:2].any()


@pytest.mark.parametrize("length", [1, 2, 5])
def test_sequences_shorter_than_any_trial(length: int) -> None:
    observations, answers = next(battery(Setting()).stream(30, length, seed=0))
    assert observations.shape == (length, 30, 33 + len(TASKS))
    assert answers.shape == (length, 30)


def test_lanes_and_batches_differ() -> None:
    stream = battery(Setting()).stream(16, 100, seed=0, batch_first=True)
    seen = [lane.tobytes() for _ in range(4) for lane in next(stream)[0]]
    assert len(set(seen)) == 64


@pytest.mark.parametrize("rules", ["corrected", "published"])
def test_batches_differ_in_tasks_durations_conditions_and_noise(rules: str) -> None:
    """Each by itself: batches that share one of them would look different all the same."""
    stream = modcog.Battery(["dm1"], dim_ring=8, rules=rules).stream(6, 200, seed=1, batch_first=True)
    mixed = battery(Setting(n=8, rules=rules)).stream(6, 200, seed=1, batch_first=True)
    (first, said), (second, says) = stream[0], stream[1]
    on, later = (np.flatnonzero(answers.ravel()) for answers in (said, says))
    assert not np.array_equal(on, later), "durations"
    assert not np.array_equal(said.ravel()[on][:40:2], says.ravel()[later][:40:2]), "directions"
    noise, other = (found[:, :, 9:][found[:, :, 9:] != 0] for found in (first, second))
    assert np.isin(noise, other).mean() < 0.01, "noise"
    assert not np.array_equal(*(found[:, :, 17:] for found, _ in (mixed[0], mixed[1]))), "tasks"


def test_tasks_are_drawn_uniformly_for_each_trial() -> None:
    """The first trial of each lane, and the one after it, independently."""
    stream = battery(Setting(n=4)).stream(300, 80, seed=3, batch_first=True)
    firsts, seconds = [], []
    for _ in range(3):
        for lane, said in zip(*next(stream), strict=True):
            found = [rule(seen, 4) for seen, _ in pieces(lane, said)]
            firsts.append(found[0])
            seconds.append(found[1])
    assert evenness(np.array(firsts), len(TASKS)) == ""
    assert evenness(np.array(firsts) * len(TASKS) + np.array(seconds), len(TASKS) ** 2) == ""


def test_conditions_are_drawn_evenly_in_a_stream() -> None:
    """Directions of a go task, by the labels of the first trial of each lane."""
    stream = modcog.Battery(["go"], dim_ring=8).stream(200, 15, seed=4)
    answers = np.concatenate([next(stream)[1][-1] for _ in range(4)])
    assert evenness(answers - 1, 8) == ""


# --- a seed and a number say all ---------------------------------------------------------------


def same(ours: tuple[Array, Array], theirs: tuple[Array, Array]) -> bool:
    """Whether two batches are equal, bit by bit."""
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("rules", ["corrected", "published"])
def test_a_batch_depends_on_the_seed_and_its_number_alone(rules: str) -> None:
    make = lambda seed: battery(Setting(rules=rules), sigma=1.0).stream(7, 90, seed=seed)  # noqa: E731
    stream = make(5)
    batches = [next(stream) for _ in range(4)]
    assert stream.position == 4
    again, other = make(5), make(6)
    for index in (3, 0, 2, 1):
        assert same(again[index], batches[index])
        assert not same(other[index], batches[index])
    assert again.position == 0, "looking at a batch does not move the stream"
    again.position = 2
    assert same(next(again), batches[2])
    assert same(next(again), batches[3])
    assert not same(batches[0], batches[1])


def test_a_stream_without_a_seed_can_be_repeated_by_its_own() -> None:
    first, other = (battery(Setting()).stream(3, 50) for _ in range(2))
    assert first.seed != other.seed
    assert same(next(battery(Setting()).stream(3, 50, seed=first.seed)), next(first))


@pytest.mark.parametrize("rules", ["corrected", "published"])
def test_batch_first_has_the_same_trials_and_the_same_noise(rules: str) -> None:
    time, batch = (
        battery(Setting(rules=rules), sigma=1.0).stream(9, 120, seed=7, batch_first=first)[2] for first in (False, True)
    )
    assert time[0].shape == (120, 9, 33 + len(TASKS))
    assert_array_equal(time[0].transpose(1, 0, 2), batch[0])
    assert_array_equal(time[1].T, batch[1])
    assert (time[0].dtype, time[1].dtype, batch[0].dtype, batch[1].dtype) == (np.float32, np.int64) * 2
    assert all(array.flags.c_contiguous for array in (*time, *batch))


def test_a_batch_is_the_caller_s_own() -> None:
    """Writing into it changes no other."""
    stream = battery(Setting()).stream(3, 40, seed=0)
    observations, answers = stream[0]
    before = observations.copy(), answers.copy()
    observations[:] = 9
    answers[:] = 9
    assert same(stream[0], before)


def test_sigma_and_rule_input_change_nothing_else() -> None:
    plain = battery(Setting(), rule_input=False).stream(20, 200, seed=8)[1]
    loud = battery(Setting(), sigma=1.0).stream(20, 200, seed=8)[1]
    assert_array_equal(plain[1], loud[1])
    noise = loud[0][:, :, :33] - plain[0]
    silent = ~plain[0][:, :, 1:].any(2)
    assert not noise[silent].any()
    assert noise[~silent].std() > 0.03


def test_a_stream_is_not_a_sample_of_the_same_seed() -> None:
    """Training on a stream and testing on a sample of the same seed shares no trial beyond chance."""
    made = modcog.Battery(["dlydm1"], dim_ring=16)
    first = made.sample(20, seed=0)
    lanes = made.stream(20, int(first.lengths.min()), seed=0, batch_first=True)[0][0]
    assert not any(
        np.array_equal(lane, trial[: len(lane)]) for lane, trial in zip(lanes, first.observations, strict=True)
    )


# --- noise -------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_first", [False, True])
def test_noise_has_sd_sigma_over_root_dt(batch_first: bool) -> None:
    """In modality 2 of dm1, which shows nothing there: white, over steps, lanes and channels."""
    made = modcog.Battery(["dm1"], dt=20, sigma=0.6, dim_ring=8)
    ring = made.stream(50, 300, seed=9, batch_first=batch_first)[0][0].astype(float)[:, :, 9:]
    noise = ring[ring.any(2)] / (0.6 / np.sqrt(20))
    assert abs(noise.mean()) < 4 / np.sqrt(noise.size)
    assert noise.std() == pytest.approx(1, abs=4 / np.sqrt(2 * noise.size))
    assert np.abs(np.corrcoef(noise.T) - np.eye(8)).max() < 5 / np.sqrt(len(noise))
    assert abs(np.mean(noise[1:] * noise[:-1])) < 4 / np.sqrt(noise.size)


# --- odd settings ------------------------------------------------------------------------------


def test_trials_of_one_step_fill_the_lanes() -> None:
    """Nothing but a decision: every label is a response."""
    made = modcog.Battery(["rtgo"], timing={"fixation": 0, "decision": 100}, dim_ring=8)
    observations, answers = made.stream(10, 50, seed=0)[0]
    assert answers.min() >= 1
    assert evenness(answers - 1, 8) == ""
    assert_array_equal(observations[:, :, 1:].reshape(50, 10, 2, 8).sum(2).argmax(2), answers - 1)


def test_trials_of_very_different_length_fill_the_lanes() -> None:
    """Far shorter trials than the mean in some lanes: none has a gap."""
    made = modcog.Battery(
        ["rtgo", "dlygo"], timing={"delay": ("choice", [0, 0, 0, 60_000])}, sigma=0.0, rule_input=True
    )
    observations, answers = made.stream(40, 900, seed=1, batch_first=True)[0]
    assert (observations[:, :, 33:].sum(2) == 1).all()
    assert (answers >= 0).all()
    for lane, said in zip(observations, answers, strict=True):
        for seen, says in list(pieces(lane, said))[:-1]:
            assert (says[seen[:, 0] < 0.5] > 0).all()
            assert (seen[:, 0] < 0.5).sum() == 5


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"batch_size": 0}, "batch_size: got 0, must be a whole number, at least 1"),
        ({"batch_size": -2}, "batch_size: got -2, must be a whole number, at least 1"),
        ({"batch_size": 2.5}, "batch_size: got 2.5, must be a whole number, at least 1"),
        ({"batch_size": None}, "batch_size: got None, must be a whole number, at least 1"),
        ({"batch_size": True}, "batch_size: got True, must be a whole number, at least 1"),
        ({"seq_len": 0}, "seq_len: got 0, must be a whole number, at least 1"),
        ({"seq_len": "350"}, "seq_len: got '350', must be a whole number, at least 1"),
        ({"prefetch": -1}, "prefetch: got -1, must be a whole number, at least 0"),
        ({"prefetch": True}, "prefetch: got True, must be a whole number, at least 0"),
        ({"seed": -1}, "seed: got -1, must be a whole number, at least 0, or None"),
        ({"seed": 0.5}, "seed: got 0.5, must be a whole number, at least 0, or None"),
    ],
    ids=str,
)
def test_a_wrong_stream_is_refused(how: dict[str, Any], says: str) -> None:
    with pytest.raises(ModcogError) as caught:
        battery(Setting()).stream(**how)
    assert str(caught.value) == says


@pytest.mark.parametrize("index", [-1, 1.0, "0", None, slice(0, 2)], ids=repr)
def test_a_wrong_batch_number_is_refused(index: Any) -> None:
    with pytest.raises(ModcogError, match=r"index: got .*, must be a whole number, at least 0"):
        battery(Setting()).stream(2, 5, seed=0)[index]


# --- threads, processes and copies -------------------------------------------------------------


class SlowStream(Stream):
    """A stream whose position is slow to read, so that threads that do not take turns get the same one."""

    @property
    def position(self) -> int:  # type: ignore[override]
        found = self.__dict__["slow"]
        time.sleep(1e-4)
        return found

    @position.setter
    def position(self, value: int) -> None:
        self.__dict__["slow"] = value


@pytest.mark.parametrize("how", [{}, {"prefetch": 3}, {"device": "cpu"}], ids=repr)
def test_threads_that_read_one_stream_get_every_batch_once(how: dict[str, Any]) -> None:
    if "device" in how:
        pytest.importorskip("torch")
    made = battery(Setting()).stream(4, 20, seed=0)
    shared = SlowStream(made.tables, made._seed, 4, 20, **how)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: np.asarray(next(shared)[0]).tobytes(), range(100)))
    assert sorted(found) == sorted(next(made)[0].tobytes() for _ in range(100))
    assert shared.position == 100


def test_threads_take_turns_at_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's functions need not bear two threads at once, and no trials are drawn twice."""
    inside, drawn = 0, []
    draw = Stream._draw_together

    def watched(self: Stream, number: int) -> Any:
        nonlocal inside
        inside += 1
        time.sleep(0.005)
        drawn.append((number, inside))
        inside -= 1
        return draw(self, number)

    monkeypatch.setattr(Stream, "_draw_together", watched)
    made = battery(Setting()).stream(4, 20, seed=0, prefetch=2)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: next(made), range(16)))
    assert {count for _, count in drawn} == {1}
    assert [number for number, _ in drawn][:4] == [0, 1, 2, 3]


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_prefetched_batches_are_the_same_in_the_same_order(ahead: int) -> None:
    """From wherever the stream is set to go on, and with looks at others between."""
    plain, made = (battery(Setting(), sigma=1.0).stream(4, 20, seed=0, prefetch=k) for k in (0, ahead))
    for position in (0, 3, 2, 40):
        plain.position = made.position = position
        assert all(same(next(made), next(plain)) for _ in range(6))
        assert same(made[1], plain[1])
        assert made.position == position + 6


def test_an_error_of_a_prefetched_batch_is_raised_when_that_batch_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    made = battery(Setting()).stream(4, 20, seed=0, prefetch=4)
    draw = Stream.draw

    def fail(self: Stream, index: int) -> Any:
        return draw(self, index) if index != 3 else {}["such as a user's draw function may raise"]

    monkeypatch.setattr(Stream, "draw", fail)
    for index in range(6):
        if index == 3:
            with pytest.raises(KeyError, match="such as"):
                next(made)
        else:
            assert same(next(made), battery(Setting()).stream(4, 20, seed=0)[index])
    made.position = -1
    with pytest.raises(ModcogError, match="index: got -1, must be a whole number, at least 0"):
        next(made)


@pytest.mark.parametrize("how", [{}, {"prefetch": 2}, {"device": "cpu"}], ids=repr)
@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_a_copied_or_pickled_stream_goes_on_where_it_was(twin: Any, how: dict[str, Any]) -> None:
    if "device" in how:
        pytest.importorskip("torch")
    made = battery(Setting(), sigma=1.0).stream(4, 20, seed=0, **how)
    next(made)
    other = twin(made)
    ours, theirs = (np.stack([np.asarray(next(stream)[0]) for _ in range(5)]) for stream in (made, other))
    assert_array_equal(ours, theirs)
    assert (other.position, type(other[0][0])) == (6, type(made[0][0]))


# --- on a device -------------------------------------------------------------------------------


def test_a_stream_on_a_device_gives_tensors_there() -> None:
    torch = pytest.importorskip("torch")
    made = battery(Setting()).stream(4, 20, seed=0)
    for device in ("cpu", torch.device("cpu")):
        observations, answers = next(battery(Setting()).stream(4, 20, seed=0, device=device))
        assert (observations.device.type, observations.dtype) == ("cpu", torch.float32)
        assert (answers.device.type, answers.dtype) == ("cpu", torch.int64)
        assert_array_equal(observations.numpy(), made[0][0])
    observations += 1  # the caller's own: nothing that is used again
    assert_array_equal(next(battery(Setting()).stream(4, 20, seed=0, device="cpu"))[0].numpy(), made[0][0])


def test_jax_takes_what_is_made_on_a_device_without_a_copy() -> None:
    pytest.importorskip("torch")
    jax = pytest.importorskip("jax")
    observations, answers = next(battery(Setting(), sigma=1.0).stream(4, 20, seed=0, device="cpu"))
    taken = jax.dlpack.from_dlpack(observations)
    assert taken.unsafe_buffer_pointer() == observations.data_ptr()
    assert_array_equal(jax.dlpack.from_dlpack(answers), answers)


@pytest.mark.parametrize("device", ["", "gpu", "cuda:99", "mps:7", "meta", "xla", "hpu", -1, True, [1], "cpu\n\x1b[1m"])
def test_a_device_that_torch_cannot_use_is_refused_in_one_line(device: Any) -> None:
    pytest.importorskip("torch")
    with pytest.raises(ModcogError, match=r"^device: got .*, which torch cannot use: ") as caught:
        battery(Setting()).stream(4, 20, seed=0, device=device)
    assert str(caught.value).isprintable()


def test_a_device_without_torch_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modcog.trials.backends.find_spec", lambda name: None)
    with pytest.raises(
        ModcogError, match=r"^a stream with a device needs the package torch: pip install .*\[train\].$"
    ):
        battery(Setting()).stream(4, 20, device="cpu")
