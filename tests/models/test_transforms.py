"""Masked networks under whatever torch does with a module: gradients of gradients, transforms, compilers, threads."""

import copy
import io
import threading
import warnings

import pytest
import torch
from masked_dense import masked_dense
from torch.autograd import forward_ad
from torch.autograd.functional import hessian, hvp, jacobian
from torch.func import functional_call, grad, jacfwd, jacrev, jvp, stack_module_state, vmap
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from modcog.models import MaskedRNN, build, kernels, masks

MASKS = {
    "lm-rnn": masks.locality(16, density=0.3),
    "random": masks.random(12, density=0.3, seed=1, self_connections="drawn", in_degree="drawn"),  # some rows are empty
    "shuffled": masks.shuffled(masks.locality(16, density=0.3)),
    "autapse": masks.identity(6),
    "dense": masks.dense(6),
    "few": masks.random(128, density=0.01, seed=2, self_connections="drawn", in_degree="drawn"),
    "many autapses": masks.identity(40),
}
CASES = [
    pytest.param(name, "auto", "softplus", 250.0, noise, id=f"{name}-{noise:g}")
    for name in MASKS for noise in (0.0, 0.3)
] + [
    pytest.param("random", kernel, phi, tau, 0.0, id=f"{kernel}-{phi}-{tau:g}")
    for kernel in ("dense", "compiled", "csr")
    for phi in ("relu", "tanh", "softplus")
    for tau in (100.0, 250.0)
] + [
    pytest.param("random", "rnn", phi, 100.0, 0.0, id=f"rnn-{phi}") for phi in ("relu", "tanh")
] + [pytest.param("autapse", "diagonal", "tanh", 250.0, 0.3, id="diagonal")]  # fmt: skip


def network(name="lm-rnn", kernel="auto", phi="tanh", tau=250.0, noise=0.0, dtype=torch.float64):
    model = MaskedRNN(MASKS[name], 3, 2, kernel=kernel, activation=phi, tau=tau, noise=noise, gain=0.7).to(dtype)
    with torch.no_grad():
        model.bias.copy_(torch.linspace(-1, 1, len(model.bias)))
    return model


def sequence(steps=4, batch=2, dtype=torch.float64, seed=0):
    return torch.randn(steps, batch, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def functions(model, x):
    """The loss of the weights, by the network and by the same network in plain torch with a full matrix."""
    names = [name for name, _ in model.named_parameters()]

    def scored(logits, states):
        return (logits.sin() * torch.linspace(1, 2, logits.numel()).view(logits.shape)).sum() + states.pow(3).sum()

    def own(*values):
        rng = torch.Generator().manual_seed(3)
        given = dict(zip(names, values, strict=True))
        return scored(*functional_call(model, given, (x,), {"return_states": True, "generator": rng}))

    def reference(*values):
        drawn = None
        if model.noise:
            rng = torch.Generator().manual_seed(3)
            drawn = torch.randn(*x.shape[:2], model.mask.n, generator=rng, dtype=x.dtype) * model.noise
        held = copy.copy(model)
        held._parameters = dict(zip(names, values, strict=True))
        return scored(*masked_dense(held, x, None, drawn, phi=model.activation, alpha=model.alpha))

    return own, reference, tuple(parameter.detach() for parameter in model.parameters())


def assert_same(got, want, **options):
    torch.testing.assert_close(got, want, rtol=1e-8, atol=1e-8, **options)


@pytest.mark.parametrize(("name", "kernel", "phi", "tau", "noise"), CASES)
def test_second_derivatives(name, kernel, phi, tau, noise):
    """Against the masked dense network, and against differences of the first ones."""
    model = network(name, kernel, phi, tau, noise)
    own, reference, values = functions(model, sequence())
    direction = tuple(torch.randn(v.shape, generator=torch.Generator().manual_seed(9), dtype=v.dtype) for v in values)
    got, want = (hvp(f, values, direction)[1] for f in (own, reference))
    assert_same(got, want)
    assert max(float(part.abs().max()) for part in got) > 1e-3
    if phi == "relu":  # it has a kink, where differences fail
        return
    eps = 1e-6
    ahead, behind = (
        torch.autograd.functional.vjp(own, tuple(v + sign * eps * d for v, d in zip(values, direction, strict=True)))[1]
        for sign in (1, -1)
    )
    for part, a, b in zip(got, ahead, behind, strict=True):
        torch.testing.assert_close(part, (a - b) / (2 * eps), rtol=1e-5, atol=1e-5 * float(part.abs().max() + 1))


@pytest.mark.parametrize("kernel", ["dense", "compiled", "csr", "rnn"])
@pytest.mark.parametrize("tau", [100.0, 250.0])
def test_gradients_of_gradients_pass_gradgradcheck(kernel, tau):
    model = network("random", kernel, *(("tanh", 100.0) if kernel == "rnn" else ("softplus", tau)))
    x, h0 = sequence().requires_grad_(), torch.randn(2, 12, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in model.named_parameters()]

    def run(x, h0, *values):
        return functional_call(model, dict(zip(names, values, strict=True)), (x, h0), {"return_states": True})

    values = [parameter.detach().clone().requires_grad_() for parameter in model.parameters()]
    assert torch.autograd.gradgradcheck(run, (x, h0, *values), fast_mode=True)
    assert torch.autograd.gradcheck(
        run, (x, h0, *values), check_forward_ad=True, check_batched_grad=True, fast_mode=True
    )


def test_inputs_that_depend_on_each_other_are_told_apart():
    model = network()
    x = sequence().requires_grad_()
    h0 = x[0] @ torch.ones(3, 16, dtype=x.dtype)

    def second(run):
        (first,) = torch.autograd.grad(
            run(x, x[0] @ torch.ones(3, 16, dtype=x.dtype)).sin().sum(), x, create_graph=True
        )
        return torch.autograd.grad(first.pow(2).sum(), x)[0]

    assert_same(second(model), second(lambda x, h0: masked_dense(model, x, h0, phi="tanh", alpha=0.4)[0]))
    by_h0 = torch.autograd.grad(model(x, h0).sum(), h0, create_graph=True)[0]
    assert_same(by_h0, torch.autograd.grad(masked_dense(model, x, h0, phi="tanh", alpha=0.4)[0].sum(), h0)[0])


@pytest.mark.parametrize("name", MASKS)
def test_third_derivatives(name):
    model = network(name, phi="softplus")
    own, reference, values = functions(model, sequence(2, 1))

    def third(f):
        total, weight = f(*values[:0], *[v.requires_grad_() for v in copies]), copies[0]
        for _ in range(3):
            (weight_gradient,) = torch.autograd.grad(total, weight, create_graph=True)
            total = weight_gradient.sin().sum()
        return weight_gradient.detach()

    copies = [value.clone() for value in values]
    assert_same(third(own), third(reference))


@pytest.mark.parametrize(("name", "kernel", "phi", "tau", "noise"), CASES)
def test_function_transforms(name, kernel, phi, tau, noise):
    model = network(name, kernel, phi, tau, noise)
    own, reference, values = functions(model, sequence(3, 2))
    direction = tuple(torch.ones_like(value) for value in values)
    places = tuple(range(len(values)))
    for transformed in (
        lambda f: grad(f, places)(*values),
        lambda f: jvp(f, values, direction),
        lambda f: jvp(grad(f, places), values, direction),
    ):
        assert_same(transformed(own), transformed(reference))
    several = torch.stack([values[0], 2 * values[0]])
    got = vmap(grad(own), (0, None, None, None, None), randomness="same")(several, *values[1:])
    assert_same(got, torch.stack([grad(reference)(one, *values[1:]) for one in several]))


def test_jacobians_and_hessians_by_every_route():
    model = network("autapse", phi="softplus")
    own, reference, values = functions(model, sequence(3, 2))
    x = sequence(3, 2)

    def of(f):
        return lambda weight: f(weight, *values[1:])

    want = hessian(of(reference), values[0])
    for route in (
        hessian(of(own), values[0]),
        hessian(of(own), values[0], vectorize=True),
        hessian(of(own), values[0], vectorize=True, outer_jacobian_strategy="forward-mode"),
        torch.func.hessian(of(own))(values[0]),
        jacrev(jacrev(of(own)))(values[0]),
        jacfwd(jacfwd(of(own)))(values[0]),
        jacrev(jacfwd(of(own)))(values[0]),
    ):
        assert_same(route, want)

    def logits(x):
        return masked_dense(model, x, phi="softplus", alpha=0.4)[0]

    want = jacobian(logits, x)
    for route in (
        jacobian(model, x),
        jacobian(model, x, vectorize=True),
        jacobian(model, x, vectorize=True, strategy="forward-mode"),
        jacrev(model)(x),
        jacfwd(model)(x),
    ):
        assert_same(route, want)
    y = x.clone().requires_grad_()
    (batched,) = torch.autograd.grad(model(y), y, torch.eye(12).view(12, 3, 2, 2).double(), is_grads_batched=True)
    assert_same(batched, want.reshape(12, 3, 2, 3))


def test_per_sample_gradients_and_ensembles():
    model = network("lm-rnn")
    x = sequence(4, 5)
    given = dict(model.named_parameters())
    per_sample = vmap(grad(lambda p, x: functional_call(model, p, (x[:, None],)).sin().sum()), (None, 1))(given, x)
    for k in range(5):
        alone = torch.autograd.grad(model(x[:, k : k + 1]).sin().sum(), list(given.values()))
        assert_same(tuple(part[k] for part in per_sample.values()), alone)
    models = [network("lm-rnn"), build("lm-rnn", 3, 2, hidden=16, density=0.3, seed=4, tau=250.0, activation="tanh")]
    models[1].double()
    empty = copy.deepcopy(models[0]).to("meta")
    outputs = vmap(lambda p, b: functional_call(empty, (p, b), (x,)))(*stack_module_state(models))
    assert_same(outputs, torch.stack([one(x) for one in models]))


def test_noise_under_vmap_is_shared_or_not_as_asked():
    model = network(noise=0.5)
    x = torch.stack([sequence()] * 3)
    same = vmap(model, randomness="same")(x)
    different = vmap(model, randomness="different")(x)
    assert torch.equal(same[0], same[1])
    assert not torch.equal(different[0], different[1])
    with pytest.raises(RuntimeError, match="randomness"):
        vmap(model)(x)


def test_forward_mode():
    model = network("random", phi="softplus")
    x, tangent = sequence(), sequence(seed=1)
    with forward_ad.dual_level():
        dual = model(forward_ad.make_dual(x, tangent))
        moved = forward_ad.unpack_dual(dual).tangent
        assert forward_ad.unpack_dual(model(x)).tangent is None
    eps = 1e-6
    torch.testing.assert_close(moved, (model(x + eps * tangent) - model(x - eps * tangent)) / (2 * eps))


@pytest.mark.parametrize("name", ["lm-rnn", "autapse", "few"])
@pytest.mark.parametrize("backend", ["eager", "aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled_networks(name, backend):
    """Whole, without a break of the graph, before the first ordinary call and after it."""
    torch.compiler.reset()
    model = network(name, noise=0.0, dtype=torch.float32)
    x = sequence(dtype=torch.float32).requires_grad_()
    compiled = torch.compile(copy.deepcopy(model), backend=backend, fullgraph=True)
    for again in (x, sequence(dtype=torch.float32, seed=2).requires_grad_()):
        pairs = compiled(again, return_states=True), model(again, return_states=True)
        torch.testing.assert_close(*pairs)
        wanted = [again, *model.parameters()]
        want = torch.autograd.grad(pairs[1][0].sin().sum(), wanted)
        got = torch.autograd.grad(pairs[0][0].sin().sum(), [again, *compiled.parameters()])
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(compiled._orig_mod(x), model(x))
    torch.compiler.reset()


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", ["lm-rnn", "dense", "few"])
def test_export(name, strict, noise):
    model = network(name, noise=noise, dtype=torch.float32)
    x = sequence(batch=5, dtype=torch.float32)
    batch = torch.export.Dim("batch", min=2, max=64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(model, (x,), dynamic_shapes=({1: batch},), strict=strict)
        file = io.BytesIO()
        torch.export.save(program, file)
        file.seek(0)
        loaded = torch.export.load(file).module()
    other = sequence(batch=9, dtype=torch.float32)
    torch.manual_seed(1)
    got = loaded(other)
    torch.manual_seed(1)
    torch.testing.assert_close(got, model(other))
    assert not any("fake" in type(value).__name__.lower() for value in vars(model).values())


def test_traced_by_jit_and_by_fx():
    model = network(dtype=torch.float32)
    x, other = sequence(dtype=torch.float32), sequence(batch=7, dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, (x,))
        torch.testing.assert_close(traced(other), model(other))
    from torch.fx.experimental.proxy_tensor import make_fx

    given = {name: value.detach() for name, value in model.named_parameters()}
    for mode in ("real", "fake"):
        graph = make_fx(lambda given, x: functional_call(model, given, (x,)), tracing_mode=mode)(given, x)
        torch.testing.assert_close(graph(given, x), model(x).detach())


def test_on_the_meta_device():
    model = network(dtype=torch.float32)
    shapes = copy.deepcopy(model).to("meta")
    logits = shapes(sequence(dtype=torch.float32).to("meta"))
    assert logits.is_meta
    assert logits.shape == (4, 2, 2)
    logits.sum().backward()
    with torch.device("meta"):
        empty = build("lm-rnn", 3, 2, hidden=16, density=0.3)
        gated = build("gru", 3, 2, hidden=16)
    assert all(value.is_meta for one in (empty, gated) for value in one.state_dict().values())
    real, x = build("lm-rnn", 3, 2, hidden=16, density=0.3), sequence(dtype=torch.float32)
    filled = empty.to_empty(device="cpu")
    filled.load_state_dict(real.state_dict())
    assert torch.equal(filled(x), real(x))
    torch.set_default_dtype(torch.float64)
    try:
        double = build("lm-rnn", 3, 2, hidden=16, density=0.3)
        assert {value.dtype for value in double.parameters()} == {torch.float64}
        double(sequence()).sum().backward()
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", ["lm-rnn", "autapse", "dense"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_trains(name, dtype):
    model, half = network(name, dtype=torch.float32), network(name, dtype=dtype)
    x = sequence(dtype=torch.float32)
    want, got = (torch.autograd.grad(m(x).float().sum(), list(m.parameters())) for m in (model, half))
    for one, other in zip(got, want, strict=True):
        assert one.dtype == dtype
        torch.testing.assert_close(one.float(), other, rtol=0.1, atol=0.1 * float(other.abs().max()))
    hvp_of = torch.autograd.grad(half(x).float().sin().sum(), half.weight_recurrent, create_graph=True)[0]
    assert torch.autograd.grad(hvp_of.float().sum(), half.weight_recurrent)[0].isfinite().all()


@pytest.mark.parametrize("name", ["lm-rnn", "autapse", "dense"])
def test_autocast_changes_no_gradient(name):
    model = network(name, dtype=torch.float32)
    x = sequence(6, 8, dtype=torch.float32)

    def results():
        first = torch.autograd.grad(model(x).sin().sum(), list(model.parameters()))
        return first, torch.autograd.grad(model(x).sin().sum(), model.bias, create_graph=True)[0].sin().sum()

    want, deeper = results()
    want += torch.autograd.grad(deeper, list(model.parameters())[:2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got, deeper = results()
    got += torch.autograd.grad(deeper, list(model.parameters())[:2])
    for one, other in zip(got, want, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kernel", [*kernels.KERNELS, "auto"])
def test_only_the_gradients_asked_for(kernel):
    """One at a time and together; twice; and with the others frozen."""
    model = network("autapse" if kernel == "diagonal" else "random", kernel, tau=100.0 if kernel == "rnn" else 250.0)
    x, h0 = sequence().requires_grad_(), torch.rand(2, model.mask.n, dtype=torch.float64).requires_grad_()
    inputs = {**dict(model.named_parameters()), "x": x, "h0": h0}
    expected = masked_dense(model, x, h0, phi="tanh", alpha=model.alpha)[0].sin().sum()
    want = torch.autograd.grad(expected, list(inputs.values()))
    loss = model(x, h0).sin().sum()
    for _ in range(2):
        assert_same(torch.autograd.grad(loss, list(inputs.values()), retain_graph=True), want)
        for one, other in zip(inputs.values(), want, strict=True):
            assert_same(torch.autograd.grad(loss, one, retain_graph=True)[0], other)
    for one, other in zip(inputs.values(), want, strict=True):
        for value in inputs.values():
            value.requires_grad_(value is one)
        assert_same(torch.autograd.grad(model(x, h0).sin().sum(), one)[0], other)


def test_the_pass_back_runs_only_as_far_as_it_must(monkeypatch):
    model = network("random", "dense")
    monkeypatch.setattr(kernels.DenseKernel, "weight_gradient", lambda *_: pytest.fail("not needed"))
    model.weight_recurrent.requires_grad_(False)
    h0 = torch.rand(2, 12, dtype=torch.float64, requires_grad=True)
    model(sequence(), h0).sum().backward()
    model.weight_in.requires_grad_(False)
    model.bias.requires_grad_(False)
    loss = model(sequence()).sum()
    monkeypatch.setattr(kernels.DenseKernel, "add_product", lambda *_: pytest.fail("not needed"))
    loss.backward()


@pytest.mark.parametrize("kernel", kernels.KERNELS)
def test_threads_that_share_a_network(kernel):
    model = network("autapse" if kernel == "diagonal" else "lm-rnn", kernel, tau=100.0 if kernel == "rnn" else 250.0)
    inputs = [sequence(6, 3 + k % 3, seed=k) for k in range(8)]

    def work(x):
        return torch.autograd.grad(model(x).sin().sum(), list(model.parameters()))

    want, failures = [work(x) for x in inputs], []

    def run(k):
        try:
            for _ in range(20):
                for one, other in zip(work(inputs[k]), want[k], strict=True):
                    assert torch.equal(one, other)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_copies_for_several_devices_run_side_by_side():
    """As ``torch.nn.DataParallel`` makes them: with the parameters as mere attributes."""
    model = build("lm-rnn", 3, 2, hidden=16, density=0.3)
    replica = model._replicate_for_data_parallel()
    for name, value in model.named_parameters():
        setattr(replica, name, value.clone())
    assert not list(replica.parameters())
    assert torch.equal(replica(sequence()), model(sequence()))


def test_inference_mode_leaves_nothing_behind_that_training_trips_over():
    x = sequence()
    for kernel in ("auto", "dense", "compiled", "csr", "rnn"):
        model = network("random", kernel, tau=100.0 if kernel == "rnn" else 250.0)
        with torch.inference_mode():
            logits = model(x)
            shifted = model(x + 1)
        assert logits.is_inference()
        assert torch.equal(model(x), logits)
        model(x).sum().backward()
        h0 = torch.ones(2, 12, dtype=x.dtype)
        hvp(lambda h0, run=model: run(x, h0).sin().sum(), h0, h0)
        assert torch.equal(model(x + 1), shifted)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing(reentrant):
    model, x = network(), sequence().requires_grad_()
    want = torch.autograd.grad(model(x).sin().sum(), [x, *model.parameters()])
    loss = checkpoint(model, x, use_reentrant=reentrant).sin().sum()
    loss.backward()
    assert_same((x.grad, *(parameter.grad for parameter in model.parameters())), want)


def test_hooks_and_parametrizations():
    model, seen = network(), []
    model.register_forward_hook(lambda *_: seen.append("forward"))
    model.register_full_backward_hook(lambda _, into, out: seen.append(("backward", into[0].shape, out[0].shape)))
    model.weight_recurrent.register_hook(lambda g: seen.append("weight") or 2 * g)
    x = sequence().requires_grad_()
    model(x).sum().backward()
    assert set(seen) == {"forward", "weight", ("backward", (4, 2, 3), (4, 2, 2))}
    doubled = network()

    class Twice(torch.nn.Module):
        def forward(self, weight):
            return 2 * weight

    parametrize.register_parametrization(doubled, "weight_recurrent", Twice())
    plain = network()
    with torch.no_grad():
        plain.weight_recurrent.mul_(2)
    assert torch.equal(doubled(sequence()), plain(sequence()))
    with torch.autograd.detect_anomaly(check_nan=True), torch.autograd.graph.save_on_cpu():
        doubled(x).sum().backward()


def test_changed_weights_between_the_passes_are_noticed():
    model = network()
    loss = model(sequence()).sum()
    with torch.no_grad():
        model.weight_recurrent.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    _, states = model(sequence(), return_states=True)
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        states.mul_(2)


def test_inputs_of_every_layout_and_type():
    model = network(dtype=torch.float32)
    x = sequence(5, 4, dtype=torch.float32)
    want = model(x)
    strange = [
        x.transpose(0, 1).contiguous().transpose(0, 1),
        torch.stack([x, x], dim=3)[..., 0],
        x.flip(0).flip(0),
        torch.cat([x, x])[:5],
        x.double(),
        torch.nn.Parameter(x),
    ]
    for one in strange:
        torch.testing.assert_close(model(one), want)
    whole = torch.ones(2, 3, 3, dtype=torch.int64)
    torch.testing.assert_close(model(whole), model(whole.float()))
    wide = x[:1].expand(5, 4, 3)
    torch.testing.assert_close(model(wide, torch.ones(1, 16).expand(4, 16)), model(wide.clone(), torch.ones(4, 16)))
    logits = model(x, return_states=True)
    (logits[0].sum() + logits[1].transpose(0, 2).sum()).backward()  # gradients that are spread out, not stored
