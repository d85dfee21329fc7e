"""Random masked networks against plain torch, with second derivatives, and networks of users that return odd things."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from attempts import attempt, bounded, check_line, examples
from hypothesis import assume, given
from hypothesis import strategies as st
from masked_dense import masked_dense
from strategies import ODD, ODD_OBJECTS, keywords

import modcog
from modcog import Battery, models
from modcog.models import masks
from modcog.models.cells import MaskedRNN
from modcog.models.kernels import KERNELS
from modcog.validation import is_number


@st.composite
def random_masks(draw: st.DrawFn) -> masks.Mask:
    """Draw a mask, from one unit to thirty, rows without inputs among them."""
    n = draw(st.integers(1, 30))
    if draw(st.integers(0, 4)) == 0:
        return masks.identity(n)
    share = draw(st.sampled_from([0.05, 0.3, 0.7, 1.0]))
    matrix = np.random.default_rng(draw(st.integers(0, 1000))).random((n, n)) < share
    matrix[draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))] = True
    return masks.custom(matrix)


@st.composite
def cases(draw: st.DrawFn, dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.float64)) -> dict[str, Any]:
    """Draw a network, what it is shown, and in which form."""
    mask = draw(random_masks())
    tau = draw(st.sampled_from([None, 100.0, 150.0, 1000.0]))
    activation = draw(st.sampled_from(["relu", "tanh", "softplus"]))
    fits = {
        "diagonal": mask.synapses == mask.self_connections == mask.n,
        "rnn": tau in (None, 100.0) and activation != "softplus",
    }
    names = [name for name in KERNELS if fits.get(name, True)]
    model = MaskedRNN(
        mask, draw(st.integers(1, 5)), draw(st.integers(1, 4)), dt=100.0, tau=tau,
        activation=activation, kernel=draw(st.sampled_from(["auto", *names])),
        seed=draw(st.integers(0, 99)), gain=draw(st.sampled_from([0.5, 1.0])), batch_first=draw(st.booleans()),
    )  # fmt: skip
    dtype = draw(st.sampled_from(dtypes))
    model = model.to(dtype)
    steps, batch = draw(st.integers(1, 6)), draw(st.sampled_from([1, 2, 3, 16, 17, 33]))
    rng = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    with torch.no_grad():
        model.bias += 0.1 * torch.randn(model.bias.shape, generator=rng, dtype=dtype)
    x = torch.randn(steps, batch, model.n_inputs, generator=rng, dtype=dtype)
    h0 = torch.randn(batch, mask.n, generator=rng, dtype=dtype) if draw(st.booleans()) else None
    form = draw(st.sampled_from(["plain", "strided", "expanded"]))
    if form == "strided":
        x = torch.stack([x, x], dim=-1)[..., 0]
    elif form == "expanded":
        x = x[:, :1].expand(-1, batch, -1)
    return {"model": model, "x": x, "h0": h0}


def run(model: MaskedRNN, x: torch.Tensor, h0: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    if not model.batch_first:
        return model(x, h0, return_states=True)
    logits, states = model(x.transpose(0, 1), h0, return_states=True)
    return logits.transpose(0, 1), states.transpose(0, 1)


def plain(model: MaskedRNN, x: torch.Tensor, h0: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    return masked_dense(model, x, h0, phi=model.activation, alpha=model.alpha)


def loss(outputs: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    logits, states = outputs
    return (logits**2).mean() + (states.sin() * 0.3).mean()


def close(first: torch.Tensor, second: torch.Tensor) -> bool:
    tolerance = 2e-4 if first.dtype == torch.float32 else 1e-9
    return torch.allclose(first, second, rtol=tolerance, atol=tolerance)


@examples(120)
@given(cases())
def test_a_masked_network_is_the_plain_one(case: dict[str, Any]) -> None:
    model, x, h0 = case["model"], case["x"], case["h0"]
    with bounded():
        found, wanted = run(model, x, h0), plain(model, x, h0)
        assert all(map(close, found, wanted))
        inputs = [x.clone().requires_grad_(), *([] if h0 is None else [h0.clone().requires_grad_()])]
        leaves = [*inputs, *model.parameters()]
        start = inputs[1] if len(inputs) > 1 else None
        ours = torch.autograd.grad(loss(run(model, inputs[0], start)), leaves)
        theirs = torch.autograd.grad(loss(plain(model, inputs[0], start)), leaves)
        for leaf, mine, other in zip(leaves, ours, theirs, strict=True):
            assert mine.shape == leaf.shape
            assert close(mine, other)


@examples(40)
@given(cases(dtypes=(torch.float64,)))
def test_second_derivatives_are_right(case: dict[str, Any]) -> None:
    """A product of the Hessian and a vector, by the weights and by the input; a gradient penalty."""
    model, x, h0 = case["model"], case["x"].contiguous(), case["h0"]

    def second(forward: Any) -> list[torch.Tensor]:
        leaf = x.clone().requires_grad_()
        leaves = [leaf, *model.parameters()]
        first = torch.autograd.grad(loss(forward(model, leaf, h0)), leaves, create_graph=True)
        penalty = sum((grad**2).sum() for grad in first)
        return list(torch.autograd.grad(penalty, leaves, allow_unused=True, materialize_grads=True))

    with bounded():
        for mine, other in zip(second(run), second(plain), strict=True):
            assert close(mine, other)


@examples(25)
@given(cases(dtypes=(torch.float64,)), st.sampled_from(["grad", "vmap", "jacrev", "jvp", "hessian"]))
def test_functional_transforms_are_right_or_say_so(case: dict[str, Any], what: str) -> None:
    model, x, h0 = case["model"], case["x"].contiguous(), None

    def by_weight(forward: Any) -> torch.Tensor:
        def value(weight: torch.Tensor) -> torch.Tensor:
            with torch.nn.utils.parametrize.cached():
                return torch.func.functional_call(_Called(model, forward), {"model.weight_recurrent": weight}, (x,))

        start = model.weight_recurrent.detach()
        if what == "grad":
            return torch.func.grad(value)(start)
        if what == "jacrev":
            return torch.func.jacrev(value)(start)
        if what == "jvp":
            return torch.func.jvp(value, (start,), (torch.ones_like(start),))[1]
        if what == "hessian":
            return torch.autograd.functional.hessian(value, start)
        return torch.vmap(value)(torch.stack([start, 2 * start]))

    del h0
    wanted = by_weight(plain)
    try:
        with bounded():
            found = by_weight(run)
    except (modcog.ModcogError, RuntimeError, NotImplementedError) as error:
        assert "modcog" in str(error).lower() or isinstance(error, modcog.ModcogError), error
        check_line(str(error))
    else:
        assert close(found, wanted)


class _Called(torch.nn.Module):
    """The loss of a network as a module, for ``functional_call``."""

    def __init__(self, model: MaskedRNN, forward: Any) -> None:
        super().__init__()
        self.model, self.run = model, forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return loss(self.run(self.model, x, None))


ARCHITECTURE = st.sampled_from(list(models.ARCHITECTURES))
NETWORK: dict[str, st.SearchStrategy[Any]] = {
    "n_inputs": st.integers(1, 4),
    "n_outputs": st.integers(1, 4),
    "hidden": st.sampled_from([1, 4, 9, 7]),
    "seed": st.integers(0, 9),
    "density": st.floats(0.01, 1),
    "activation": st.sampled_from(["relu", "tanh", "softplus"]),
    "dt": st.sampled_from([100.0, 20]),
    "tau": st.sampled_from([100.0, 200]),
    "noise": st.sampled_from([0.0, 0.1]),
    "init": st.sampled_from(["degree", "identity", "diagonal", "orthogonal"]),
    "gain": st.floats(0.1, 2),
    "kernel": st.sampled_from(["auto", *KERNELS]),
    "shape": st.sampled_from([(2, 2), (3, 3), [1, 4], (1, 7)]),
    "torus": st.booleans(),
    "radius": st.floats(0.1, 3),
    "self_connections": st.sampled_from([True, False, "all", "none", "drawn"]),
    "in_degree": st.sampled_from(["fixed", "drawn"]),
    "rewired": st.floats(0, 1),
    "batch_first": st.booleans(),
}


@examples(200)
@given(ARCHITECTURE, keywords(NETWORK))
def test_a_network_of_any_options_runs_or_is_refused(name: str, options: dict[str, Any]) -> None:
    sides = {"n_inputs": 3, "n_outputs": 2, "hidden": 4, **options}
    assume(not any(is_number(sides[side]) and 1_000 < sides[side] < 2**40 for side in sides))  # large, and no mistake
    model, _ = attempt(lambda: models.build(name, **sides))
    if model is not None:
        with bounded():
            logits = model(torch.rand(2, 3, model.n_inputs))
            assert logits.isfinite().all()
            assert logits.shape[:2] == (2, 3)


@examples(100)
@given(st.sampled_from(["locality", "random", "small_world", "reciprocal", "identity", "dense", "custom", "shuffled"]), st.one_of(st.integers(1, 30), ODD),  # noqa: E501
       keywords({"density": st.floats(0, 1), "radius": st.floats(0, 9), "seed": st.integers(0, 9), "torus": st.booleans(),  # noqa: E501
                 "self_connections": st.sampled_from([True, False, "all", "none", "drawn"]),
                 "rewired": st.floats(0, 1), "in_degree": st.sampled_from(["fixed", "drawn"]),
                 "shape": st.sampled_from([None, (2, 2), (3, 4)])}))  # fmt: skip
def test_a_mask_of_any_options_is_made_or_refused(name: str, n: Any, options: dict[str, Any]) -> None:
    assume(not isinstance(n, int | np.integer) or not 1_000 < n < 2**40)  # large, and no mistake
    mask, message = attempt(lambda: getattr(masks, name)(n, **options), TypeError)
    if mask is not None:
        assert (mask.to_dense().sum(axis=1) == mask.degrees).all()
        assert 0 < mask.density <= 1
    elif "argument" not in message:
        attempt(lambda: getattr(masks, name)(n, **options))  # a TypeError is for a keyword that does not exist


class _Tensor(torch.nn.Module):
    """A module that returns a given value."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: torch.Tensor) -> Any:
        return self.value(x) if callable(self.value) else self.value


RETURNS: dict[str, Any] = {
    "none": lambda x: None,
    "nan": lambda x: np.full((*x.shape[:2], 17), np.nan),
    "infinite": lambda x: np.full((*x.shape[:2], 17), -np.inf),
    "complex": lambda x: np.ones((*x.shape[:2], 17), complex),
    "text": lambda x: np.full(x.shape[:2], "a"),
    "objects": lambda x: np.full(x.shape[:2], None, object),
    "actions too large": lambda x: np.full(x.shape[:2], 99),
    "negative actions": lambda x: np.full(x.shape[:2], -1),
    "fractions": lambda x: np.full(x.shape[:2], 0.5),
    "true": lambda x: np.ones(x.shape[:2], bool),
    "huge actions": lambda x: np.full(x.shape[:2], 2**63, np.uint64),
    "swapped": lambda x: np.zeros((x.shape[1], x.shape[0], 17)),
    "too few": lambda x: np.zeros((*x.shape[:2], 3)),
    "one": lambda x: 3,
    "empty": lambda x: [],
    "ragged": lambda x: [[1], [1, 2]],
    "a generator": lambda x: (row for row in x),
    "a dict": lambda x: {"logits": x},
    "itself": lambda x: x,
    "masked": lambda x: np.ma.masked_array(np.zeros((*x.shape[:2], 17)), True),
    "lists": lambda x: np.zeros((*x.shape[:2], 17)).tolist(),
    "half": lambda x: np.zeros((*x.shape[:2], 17), np.float16),
    "records": lambda x: np.zeros(x.shape[:2], [("a", int)]),
    "dates": lambda x: np.zeros(x.shape[:2], "datetime64[s]"),
    "a long number": lambda x: np.zeros((*x.shape[:2], 17), np.longdouble),
}


def _exits(x: Any) -> Any:
    raise SystemExit(3)


def _talks(x: Any) -> Any:
    raise ValueError("\x1b[31m<b>\n\x00\u2028" * 1000)


def _writes(x: Any) -> Any:
    x[...] = np.nan
    return np.zeros((*x.shape[:2], 17))


def _unprintable(x: Any) -> Any:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no str")

    raise Silent


RAISES = {"exits": _exits, "talks": _talks, "writes to its input": _writes, "cannot be printed": _unprintable}
FINE = {"true", "lists", "half", "a long number", "writes to its input", "masked"}


@pytest.mark.parametrize("name", [*RETURNS, *RAISES])
@pytest.mark.parametrize("form", ["function", "module"])
def test_an_odd_network_is_scored_or_refused(name: str, form: str) -> None:
    battery = Battery(["go", "dms"])
    predict = {**RETURNS, **RAISES}[name]
    if form == "module":
        predict = _Tensor(lambda x, call=predict: _tensor(call(x.numpy())))
    scores, message = attempt(lambda: modcog.evaluate(predict, battery, 3))
    assert (scores is not None) or name not in FINE or form == "module", message
    if scores is not None:
        assert name in FINE
        assert 0 <= scores.decision_accuracy <= 1
        check_line(repr(scores)) if "\n" not in repr(scores) else None


def _tensor(value: Any) -> Any:
    try:
        return torch.as_tensor(value)
    except (TypeError, RuntimeError, ValueError):
        return value


@examples(60)
@given(st.one_of(ODD, st.tuples(ODD_OBJECTS)), st.booleans())
def test_a_network_that_returns_anything_is_refused(value: Any, module: bool) -> None:
    network = _Tensor(value) if module and not callable(value) else lambda x: value
    scores, _ = attempt(lambda: modcog.evaluate(network, Battery(["go"]), 2))
    assert scores is None


@examples(60)
@given(ODD)
def test_anything_is_no_network(value: Any) -> None:
    scores, _ = attempt(lambda: modcog.evaluate(value, Battery(["go"]), 2))
    assert scores is None


def test_a_network_copied_pickled_and_scripted_is_the_same() -> None:
    import copy
    import pickle

    model = models.build("lm-rnn", 3, 2, hidden=9, density=0.5)
    x = torch.rand(4, 2, 3)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(x), model(x))
