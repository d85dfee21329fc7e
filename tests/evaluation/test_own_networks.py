"""Networks as people bring them: those that are right in an unusual form score, the others are refused in a line."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from modcog import Battery, ModcogError, evaluate
from modcog.evaluation.evaluate import evaluate_on


@pytest.fixture(scope="module")
def battery() -> Battery:
    return Battery(["go", "dlygo"], sigma=0)


def play(x: np.ndarray) -> np.ndarray:
    """Logits (n, T, 17) that are right in go and dlygo: hold while the cue is on, then the place of the stimulus."""
    rings = np.cumsum(x[..., 1:17] + x[..., 17:33], axis=1)
    return np.concatenate([x[..., :1] * 100, rings], axis=-1)


def decisions(network, battery):
    """Decision accuracy of each of some trials."""
    return evaluate(network, battery, 20).values["decision"]


def refusal(network: object, battery: Battery, n_trials: int = 20) -> str:
    """The line that a network is refused with."""
    with pytest.raises(ModcogError) as error:
        evaluate(network, battery, n_trials)
    line = str(error.value)
    assert "\n" not in line
    assert len(line) < 700
    return line


def overwrite(x: np.ndarray) -> np.ndarray:
    logits = play(x)
    x[:] = np.nan
    return logits


def read_only(x: np.ndarray) -> np.ndarray:
    logits = play(x)
    logits.flags.writeable = False
    return logits


IN_AN_UNUSUAL_FORM = {
    "float64": lambda x: play(x).astype("f8"),
    "float16": lambda x: play(x).astype("f2"),
    "big-endian": lambda x: play(x).astype(">f4"),
    "one-hot bool": lambda x: np.eye(17, dtype=bool)[play(x).argmax(-1)],
    "actions, int8": lambda x: play(x).argmax(-1).astype("i1"),
    "actions, uint64": lambda x: play(x).argmax(-1).astype("u8"),
    "actions, float64": lambda x: play(x).argmax(-1).astype("f8"),
    "nested lists": lambda x: play(x).tolist(),
    "a list of arrays": lambda x: list(play(x)),
    "columns first": lambda x: np.asfortranarray(play(x)),
    "negative strides": lambda x: play(x)[::-1].copy()[::-1],
    "more steps than asked for": lambda x: np.pad(play(x), ((0, 0), (0, 9), (0, 0))),
    "a tensor that needs a gradient": lambda x: torch.tensor(play(x), requires_grad=True),
    "a tensor of actions": lambda x: torch.tensor(play(x)).argmax(-1),
    "written over its input": overwrite,
    "not to be written": read_only,
}


@pytest.mark.parametrize("form", IN_AN_UNUSUAL_FORM)
def test_a_right_answer_in_an_unusual_form_scores_one(battery, form):
    assert evaluate(IN_AN_UNUSUAL_FORM[form], battery, 20).trial_accuracy == 1


def test_logits_that_differ_beyond_single_precision_are_told_apart(battery):
    """0 and the right action are 1e-12 apart, in double precision."""

    def close(x):
        return 1 + 1e-12 * np.eye(17)[play(x).argmax(-1)]

    assert evaluate(close, battery, 20).trial_accuracy == 1
    assert evaluate(lambda x: torch.tensor(close(x)), battery, 20).trial_accuracy == 1


NO_ANSWER = {
    "nothing": (lambda x: None, "NoneType"),
    "text": (lambda x: "left", "str"),
    "an array of text": (lambda x: play(x).argmax(-1).astype(str), "array of <U"),
    "complex numbers": (lambda x: play(x).astype(complex), "complex"),
    "complex tensors": (lambda x: torch.tensor(play(x)).to(torch.complex64), "Tensor"),
    "objects": (lambda x: play(x).astype(object), "array of object"),
    "a dictionary": (lambda x: {"logits": play(x)}, "dict"),
    "logits and states": (lambda x: (play(x), x[:, -1]), "tuple"),
    "logits twice": (lambda x: (play(x), play(x)), r"(2, 40, "),
    "a generator": (lambda x: (trial for trial in play(x)), "generator"),
    "lists of unequal length": (lambda x: [[0] * k for k in range(len(x))], "list"),
    "a tensor without data": (lambda x: torch.tensor(play(x)).to("meta"), "Tensor"),
    "the last step alone": (lambda x: play(x)[:, -1], "(40, 17)"),
    "a step too few": (lambda x: play(x)[:, :-1], "got shape (40, "),
    "a trial too few": (lambda x: play(x)[1:], "got shape (39, "),
    "one number": (lambda x: 0.0, "shape ()"),
    "steps first": (lambda x: play(x).transpose(1, 0, 2), "40, 17), must be"),
    "probabilities of responses only": (lambda x: play(x)[..., 1:], "16), must be"),
}


@pytest.mark.parametrize("answer", NO_ANSWER)
def test_an_answer_that_is_none_is_refused_with_the_shape_that_is_right(battery, answer):
    network, says = NO_ANSWER[answer]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        line = refusal(network, battery)
    steps = battery.sample(per_task=20, seed=0).observations.shape[1]
    assert says in line
    assert f"logits of shape (40, {steps}, 17) or actions of shape (40, {steps})" in line


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 30), steps=st.integers(3, 12))
def test_swapped_axes_are_refused_even_where_there_are_as_many_trials_as_steps(n, steps):
    battery = Battery(["go"], sigma=0, timing={"fixation": 100, "stimulus": 100, "decision": 100 * (steps - 2)})
    assert battery.sample(1, seed=0).lengths == [steps]
    scores = evaluate(play, battery, n)
    assert scores.trial_accuracy == 1
    assert len(scores.task) == n
    for swapped in (lambda x: play(x).swapaxes(0, 1), lambda x: play(x).argmax(-1).T):
        assert "must be logits of shape" in refusal(swapped, battery, n)


class Recurrent(nn.Module):
    """A network that says nothing about its axes; ``first`` is what its own recurrence takes."""

    def __init__(self, cell: str = "GRU", first: str = "steps") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cell, self.first = getattr(nn, cell)(33, 17), first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cell(x)[0] if self.first == "steps" else self.cell(x.transpose(0, 1))[0].transpose(0, 1)


@pytest.mark.parametrize("cell", ["GRU", "LSTM", "RNN"])
@pytest.mark.parametrize("task", ["go", "dms", "dm1", "dlygointr"])
def test_a_network_that_takes_trials_for_steps_is_found_out(cell, task):
    battery, network = Battery([task]), Recurrent(cell)
    evaluate(network, battery, 20)
    evaluate(lambda x: network(torch.tensor(x).transpose(0, 1)).transpose(0, 1), battery, 20)
    for swapped in (lambda x: network(torch.tensor(x)), Recurrent(cell, first="trials")):
        line = refusal(swapped, battery)
        assert "(n, T, C) = (20, " in line
        assert "batch_first" in line


def test_a_module_of_its_own_order_says_so(battery):
    network = Recurrent(first="trials")
    network.batch_first = True
    turned = Recurrent(first="steps")
    np.testing.assert_array_equal(decisions(network, battery), decisions(turned, battery))


def test_a_modules_own_word_on_its_order_goes_before_that_of_its_parts(battery):
    class Inside(nn.Module):
        """Time-first outside, batch-first inside."""

        batch_first = False

        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRU(33, 17, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.cell(x.transpose(0, 1))[0].transpose(0, 1)

    network, plain = Inside(), Recurrent()
    network.cell.load_state_dict(plain.cell.state_dict())
    np.testing.assert_array_equal(decisions(network, battery), decisions(plain, battery))
    Inside.batch_first = None
    assert "depends on the trials beside it" in refusal(network, battery)


def test_chance_and_memory_are_not_taken_for_swapped_axes(battery):
    """Players of whom the same trials come out otherwise: with luck, with seeded luck, and by what they saw before."""
    rng = np.random.default_rng(0)
    assert 0 < evaluate(lambda x: rng.integers(0, 17, x.shape[:2]), battery, 50).decision_accuracy < 0.2
    assert evaluate(lambda x: np.random.default_rng(0).integers(0, 17, x.shape[:2]), battery, 50).trial_accuracy < 0.1

    class Remembers(Recurrent):
        state = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            output, self.state = self.cell(x, self.state)
            return output

    evaluate(Remembers(), battery, 50)
    assert "Expected hidden size" in refusal(Remembers(), battery, 700)  # its memory is of 1024 trials, and 376 follow


def test_trials_are_not_changed_by_a_network_that_writes_into_them(battery):
    trials = battery.sample(50, seed=0)
    before = trials.packed_observations.copy(), trials.observations.copy()
    assert evaluate_on(overwrite, trials, 17).trial_accuracy == 1
    np.testing.assert_array_equal(trials.packed_observations, before[0])
    np.testing.assert_array_equal(trials.observations, before[1])


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("kind", ["double", "half", "bfloat16"])
def test_a_module_gets_its_own_type_of_numbers(battery, kind, trained):
    class Player(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            if trained:
                self.gain = nn.Parameter(torch.ones(()))
            else:
                self.register_buffer("gain", torch.ones(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.dtype == self.gain.dtype
            rings = (x[..., 1:17] + x[..., 17:33]).cumsum(0)
            return torch.cat([x[..., :1] * 100, rings], -1) * self.gain

    assert evaluate(getattr(Player(), kind)(), battery, 20).trial_accuracy == 1
    evaluate(getattr(Recurrent(), kind)(), battery, 20)


class Gives(nn.Module):
    """A linear read-out, and what becomes of its output."""

    def __init__(self, become) -> None:
        super().__init__()
        self.linear, self.become = nn.Linear(33, 17), become

    def forward(self, x: torch.Tensor):
        return self.become(self.linear(x))


@pytest.mark.parametrize(
    "become",
    [lambda y: (y, None), lambda y: y.numpy(), lambda y: y.argmax(-1), lambda y: y.to_sparse().to_dense()],
    ids=["tuple", "array", "actions", "dense"],
)
def test_a_module_may_give_a_tensor_an_array_or_a_tuple_of_one_and_more(battery, become):
    torch.manual_seed(0)
    network = Gives(become)
    plain = Gives(lambda y: y)
    plain.linear = network.linear
    np.testing.assert_array_equal(decisions(network, battery), decisions(plain, battery))


@pytest.mark.parametrize(
    ("become", "says"),
    [
        (lambda y: {"logits": y}, "gave a dict"),
        (lambda y: [y, y], "gave a list"),
        (lambda y: y.tolist(), "gave a list"),
        (lambda y: ((y, y), y), "gave a tuple"),
        (lambda y: (), "gave a tuple"),
        (lambda y: None, "gave a NoneType"),
        (lambda y: y[-1], "gave shape (40, 17)"),
        (lambda y: y[..., :9], "40, 9)"),
        (lambda y: y[:-1], "40, 17)"),
        (lambda y: y.transpose(0, 1), "gave shape (40, "),
        (lambda y: y.reshape(7, 3), "RuntimeError: shape '[7, 3]' is invalid"),
    ],
)
def test_a_modules_wrong_output_is_refused_in_the_modules_own_order(battery, become, says):
    line = refusal(Gives(become), battery)
    steps = battery.sample(per_task=20, seed=0).observations.shape[1]
    assert says in line
    assert f"(T, n, C), having no true batch_first, = ({steps}, 40, 33)" in line
    assert f"logits of shape ({steps}, 40, 17) or actions of shape ({steps}, 40)" in line


def test_a_module_for_trials_first_that_does_not_say_so_is_told_how(battery):
    line = refusal(nn.Sequential(nn.Flatten(), nn.Linear(33 * 20, 17)), battery)
    assert "having no true batch_first" in line


@pytest.mark.parametrize(("value", "says"), [(np.nan, "NaN"), (np.inf, "infinite")])
def test_what_is_not_finite_is_refused_at_a_step_and_does_not_count_in_padding(battery, value, says):
    def blows_up(x):
        logits = play(x)
        logits[-1, 3] = value
        return logits

    assert says in refusal(blows_up, battery)
    padded = battery.sample(per_task=5, seed=0)

    def blows_up_in_padding(x):
        logits = play(x)
        logits[~padded.mask] = value
        return logits

    assert evaluate_on(blows_up_in_padding, padded, 17).trial_accuracy == 1


def test_what_a_network_says_when_it_fails_is_kept_to_a_line_of_some_length(battery):
    def fails(x):
        raise RuntimeError("first\n  second\t third\n" + "word " * 1000)

    line = refusal(fails, battery)
    assert "RuntimeError: first second third word" in line
    assert line.endswith("…")
    assert "TypeError" in refusal(lambda x, y: x, battery)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_network_that_asks_for_a_gpu_is_refused_where_there_is_none(battery):
    assert "CUDA" in refusal(lambda x: torch.tensor(x).cuda(), battery)
    assert "CUDA" in refusal(Gives(lambda y: y.cuda()), battery)


def test_ctrl_c_is_not_taken_for_a_fault_of_the_network(battery):
    def stopped(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(stopped, battery, 5)


@pytest.mark.parametrize("network", [nn.GRU, np.ndarray, Recurrent])
def test_a_class_is_no_network(battery, network):
    assert f"class {network.__name__}" in refusal(network, battery)


def test_jax_takes_the_observations_and_its_arrays_are_taken(battery):
    jnp = pytest.importorskip("jax.numpy")
    jax = pytest.importorskip("jax")

    @jax.jit
    def network(x):
        rings = jnp.cumsum(x[..., 1:17] + x[..., 17:33], axis=1)
        return jnp.concatenate([x[..., :1] * 100, rings], axis=-1)

    assert evaluate(network, battery, 20).trial_accuracy == 1
    assert evaluate(lambda x: network(x).astype(jnp.bfloat16), battery, 20).trial_accuracy == 1
    assert "failed on observations" in refusal(lambda x: network(x[..., :20]), battery)
