"""Every kernel against masked dense autograd, for every activation, leak, noise and initial state."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from masked_dense import masked_dense

from modcog.errors import ModcogError, UnknownNameError
from modcog.models import MaskedRNN, kernels, masks
from modcog.models.kernels import compiled
from modcog.models.kernels.memory import Pool

CASES = [
    pytest.param(*case, id="-".join(map(str, case)))
    for case in itertools.product(
        kernels.KERNELS, ("relu", "tanh", "softplus"), (100.0, 250.0), (0.0, 0.3), (False, True)
    )
]
CPU = torch.device("cpu")


def mask_for(kernel, n=12):
    if kernel == "diagonal":
        return masks.identity(n)
    return masks.random(n, density=0.3, seed=1)  # some units have no input at all, and rows differ in length


def network(kernel, mask=None, dtype=torch.float64, **options):
    mask = mask_for(kernel) if mask is None else mask
    model = MaskedRNN(mask, 3, 4, kernel=kernel, **options).to(dtype)
    with torch.no_grad():
        rng = torch.Generator().manual_seed(5)
        for parameter in (model.bias, model.bias_out):
            parameter.copy_(torch.randn(parameter.shape, generator=rng))
    return model


def inputs(model, steps, batch, dtype, with_h0):
    rng = torch.Generator().manual_seed(7)
    x = torch.randn(steps, batch, 3, generator=rng, dtype=dtype, requires_grad=True)
    h0 = torch.randn(batch, model.mask.n, generator=rng, dtype=dtype, requires_grad=True) if with_h0 else None
    return x, h0


def noise_of(model, steps, batch, seed, dtype):
    """The noise that a network draws from a generator of this seed."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(steps, batch, model.mask.n, generator=rng, dtype=dtype) * model.noise if model.noise else None


def gradients(loss, model, x, h0):
    names = [name for name, _ in model.named_parameters()]
    wanted = [*model.parameters(), x, *([h0] if h0 is not None else [])]
    return dict(zip([*names, "x", "h0"], torch.autograd.grad(loss, wanted), strict=False))


@pytest.mark.parametrize(("kernel", "phi", "tau", "noise", "with_h0"), CASES)
def test_float32_agrees_with_masked_dense_autograd(kernel, phi, tau, noise, with_h0):
    """All gradients, and the logits and states, to 1e-5 relative to their size; batches of several widths."""
    for steps, batch in ((20, 3), (9, 35)):
        # a small gain: where activity grows, rounding grows with it
        model = network(kernel, mask_for(kernel, 24), torch.float32, activation=phi, tau=tau, noise=noise, gain=0.2)
        x, h0 = inputs(model, steps, batch, torch.float32, with_h0)
        logits, states = model(x, h0, return_states=True, generator=torch.Generator().manual_seed(3))
        drawn = noise_of(model, steps, batch, 3, torch.float32)
        expected, expected_states = masked_dense(model, x, h0, drawn, phi=phi, alpha=100 / tau)
        rng = torch.Generator().manual_seed(11)
        on_logits, on_states = (torch.randn(one.shape, generator=rng) for one in (logits, states))
        got = gradients((logits * on_logits).sum() + (states * on_states).sum(), model, x, h0)
        want = gradients((expected * on_logits).sum() + (expected_states * on_states).sum(), model, x, h0)
        for name, pair in {"logits": (logits, expected), "states": (states, expected_states)}.items():
            assert relative(*pair) < 1e-5, name
        for name in want:
            assert relative(got[name], want[name]) < 1e-5, name


def relative(got, want):
    return float((got - want).detach().norm() / want.detach().norm())


@pytest.mark.parametrize(("kernel", "phi", "tau", "noise", "with_h0"), CASES)
def test_float64_passes_gradcheck(kernel, phi, tau, noise, with_h0):
    model = network(kernel, mask_for(kernel, 5), activation=phi, tau=tau, noise=noise)
    x, h0 = inputs(model, 4, 2, torch.float64, with_h0)
    names = [name for name, _ in model.named_parameters()]

    def run(x, h0, *values):
        rng = torch.Generator().manual_seed(3)
        return torch.func.functional_call(
            model, dict(zip(names, values, strict=True)), (x, h0), {"return_states": True, "generator": rng}
        )

    values = [parameter.detach().clone().requires_grad_() for parameter in model.parameters()]
    assert torch.autograd.gradcheck(run, (x, h0, *values), fast_mode=True)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["dense", "compiled", "csr"]), st.integers(1, 40), st.floats(0.05, 1), st.integers(1, 6),
    st.integers(1, 70), st.integers(0, 99),
)  # fmt: skip
def test_any_size(kernel, n, density, steps, batch, seed):
    if round(density * n * n) == 0:
        return
    model = network(kernel, masks.random(n, density=density, seed=seed), torch.float32, seed=seed)
    x, _ = inputs(model, steps, batch, torch.float32, False)
    logits = model(x)
    expected, _ = masked_dense(model, x)
    assert relative(logits, expected) < 1e-5
    got, want = gradients(logits.square().sum(), model, x, None), gradients(expected.square().sum(), model, x, None)
    for name in want:
        torch.testing.assert_close(got[name], want[name], rtol=1e-4, atol=1e-5 * float(want[name].norm()) + 1e-12)


def test_one_loss_on_states_only_and_one_on_nothing():
    model = network("dense")
    x, h0 = inputs(model, 5, 2, torch.float64, True)
    _, states = model(x, h0, return_states=True)
    _, expected = masked_dense(model, x, h0)
    got = torch.autograd.grad(states[-1].sum(), [model.weight_recurrent, h0])
    want = torch.autograd.grad(expected[-1].sum(), [model.weight_recurrent, h0])
    for pair in zip(got, want, strict=True):
        torch.testing.assert_close(*pair)


@pytest.mark.parametrize("kernel", kernels.KERNELS)
def test_gradients_do_not_share_memory_with_later_ones(kernel):
    """The backward pass uses its memory again; what it returned must not change, for batches of any size."""
    model = network(kernel)
    kept = []
    for seed, batch in enumerate((3, 3, 5, 3)):
        rng = torch.Generator().manual_seed(seed)
        x = torch.randn(4, batch, 3, generator=rng, dtype=torch.float64, requires_grad=True)
        h0 = torch.randn(batch, 12, generator=rng, dtype=torch.float64, requires_grad=True)
        got = gradients(model(x, h0).square().sum(), model, x, h0)
        kept.append((got, gradients(masked_dense(model, x, h0)[0].square().sum(), model, x, h0)))
    for got, want in kept:
        for name in want:
            torch.testing.assert_close(got[name], want[name])


def test_not_a_number_is_not_hidden():
    for kernel in kernels.KERNELS:
        model = network(kernel, dtype=torch.float32)
        x, _ = inputs(model, 3, 2, torch.float32, False)
        x = x.detach()
        x[1, 0, 0] = torch.nan
        logits = model(x)
        assert logits[1, 0].isnan().all(), kernel
        assert not logits[:, 1].isnan().any(), kernel


@pytest.mark.parametrize("kernel", ["dense", "compiled", "csr"])
def test_same_numbers_on_every_run(kernel):
    model = network(kernel, masks.locality(64, density=0.1), torch.float32)
    x, _ = inputs(model, 6, 37, torch.float32, False)
    runs = [gradients(model(x).square().sum(), model, x, None) for _ in range(3)]
    for other in runs[1:]:
        for name, value in runs[0].items():
            assert torch.equal(value, other[name]), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 5, 16, 37, 64, 80, 130])
def test_compiled_numbers_depend_on_neither_threads_nor_the_rest_of_the_batch(batch, dtype, monkeypatch):
    monkeypatch.setattr(compiled, "_SHARE", 1)  # so that even these are shared
    model = network("compiled", masks.locality(64, density=0.1), dtype, tau=250.0)
    x, h0 = inputs(model, 20, batch, dtype, True)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3, 4, 7):
            torch.set_num_threads(count)
            logits, states = model(x, h0, return_states=True)
            loss = states.square().sum() + logits.sin().sum()
            found.append((logits, states, *gradients(loss, model, x, h0).values()))
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            assert torch.equal(one, same)
    alone = model(x[:, -1:].expand(-1, 80, -1), h0[-1:].expand(80, -1))
    assert torch.equal(alone[:, 0], alone[:, 79])
    assert torch.equal(alone[:, 0], model(x, h0)[:, -1])


def test_without_the_library_of_threads_one_thread_does_all(monkeypatch):
    model = network("compiled", masks.locality(64, density=0.1), torch.float32)
    x, _ = inputs(model, 6, 80, torch.float32, False)
    expected = model(x)
    monkeypatch.setattr(compiled, "_SHARE", 1)
    monkeypatch.setattr(compiled, "_parallel", lambda: None)
    assert torch.equal(model(x), expected)


def test_columns_that_fill_up_the_batch_reach_no_gradient():
    """If activity explodes, an infinite state of such a column times a gradient of zero would be NaN."""
    model = network("compiled", masks.dense(8), torch.float32, activation="softplus")
    with torch.no_grad():
        model.weight_recurrent.fill_(1e9)
    x, _ = inputs(model, 9, 3, torch.float32, False)
    assert not model(x).isfinite().all()
    short, _ = inputs(model, 1, 3, torch.float32, False)
    assert all(part.isfinite().all() for part in gradients(model(short).sum(), model, short, None).values())


def test_memory_is_lent_to_one_tensor_at_a_time():
    pool, like = Pool(), torch.zeros((), dtype=torch.float64)
    first = pool.empty(like, 100, 7)
    place, view = first.data_ptr(), first[3:].detach()
    assert place % 64 == 0
    del first
    assert pool.empty(like, 100, 7).data_ptr() != place  # a view is still there
    del view
    again = [pool.empty(like, 50, 7) for _ in range(2)]
    assert place in {one.data_ptr() for one in again}
    assert again[0].data_ptr() != again[1].data_ptr()
    del again
    assert pool.empty(like, 0, 3).shape == (0, 3)
    for _ in range(20):
        held = [pool.empty(like, 10) for _ in range(10)]
        del held
    assert len(pool._spare) <= 3


def test_the_choice_follows_mask_and_type():
    def choice(mask, dtype=torch.float32, device=CPU):
        return kernels.choose(mask, device, dtype)

    sparse = masks.locality(1024, density=0.04)
    assert choice(masks.identity(64)) == "compiled"
    assert choice(masks.identity(64), torch.bfloat16) == "diagonal"
    assert choice(masks.dense(64)) == "dense"
    assert choice(sparse) == "compiled"
    assert choice(sparse, torch.bfloat16) == "dense"
    assert choice(sparse, device=torch.device("cuda")) == "csr"
    assert choice(sparse, device=torch.device("mps")) == "dense"


def test_without_a_compiler_another_kernel_steps_in_quietly(monkeypatch, recwarn):
    monkeypatch.setattr(compiled, "find_spec", lambda name: None)
    compiled._has_compiler.cache_clear()
    try:
        model = network("auto", masks.locality(256, density=0.04), torch.float32)
        x, _ = inputs(model, 3, 2, torch.float32, False)
        expected, _ = masked_dense(model, x)
        assert relative(model(x), expected) < 1e-5
        assert kernels.choose(model.mask, CPU, torch.float32) == "csr"
        model.kernel = "compiled"
        with pytest.raises(ModcogError, match="with llvmlite installed"):
            model(x)
    finally:
        compiled._has_compiler.cache_clear()
    assert not recwarn.list


def test_kernels_that_do_not_fit_are_refused():
    with pytest.raises(ModcogError, match="allowed for self-connections only"):
        network("diagonal", masks.dense(3))
    with pytest.raises(UnknownNameError, match=r"unknown kernel 'densse' .nearest: 'dense'."):
        network("densse")
    with pytest.raises(ModcogError, match="allowed for float32 and float64 on a CPU"):
        network("compiled", dtype=torch.bfloat16)(torch.zeros(1, 1, 3))


@pytest.mark.parametrize("phi", ["tanh", "softplus"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_compiled_nonlinearities_are_exact_over_the_whole_range(phi, dtype):
    """The code has its own series; compared with the standard library's functions in double precision."""
    span = torch.cat([torch.linspace(-120, 120, 4001), torch.linspace(-1e-3, 1e-3, 401)]).double()
    model = MaskedRNN(masks.custom(np.eye(2)), 1, 1, activation=phi, kernel="compiled").to(dtype)
    with torch.no_grad():
        model.weight_in.fill_(1)
        rates = model(span[None, :, None].to(dtype), return_states=True)[1][0, :, 0].double()
    exact = {"tanh": torch.tanh, "softplus": lambda v: torch.logaddexp(v, torch.zeros(()).double())}[phi](
        span.to(dtype).double()
    )
    unit = torch.finfo(dtype).eps
    assert ((rates - exact).abs() <= 4 * unit * exact.abs() + 1e-300 + (phi == "softplus") * 2 * unit).all()
