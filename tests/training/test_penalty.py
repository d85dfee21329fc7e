"""Penalties against cases that can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from modcog import ModcogError
from modcog.training import TrainConfig, train
from modcog.training.batches import Microbatch
from modcog.training.checkpoint import latest
from modcog.training.loop import loss
from modcog.training.penalty import DAMPING, Penalty, _consolidation, _intelligence, fisher_information

TASKS = ["go", "goseqr", "dm1", "dm1seqr"]


class Logistic(nn.Module):
    """Logits (w x, 0): the chance of the first response is 1 / (1 + exp(−w x))."""

    def __init__(self, w: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.w * x, torch.zeros_like(x)], dim=2)


def steps_of(*x: float) -> Microbatch:
    """Sequences of one step."""
    row = torch.tensor(x).reshape(1, -1)
    return Microbatch(row[..., None], torch.ones_like(row, dtype=torch.int64), torch.full_like(row, 5.0))


@pytest.mark.parametrize("w", [0.0, 1.0, -2.0])
def test_the_fisher_information_of_a_logistic_unit(w):
    """It is p (1 − p) x²; at w = 0, where both responses are alike, x² / 4 whichever is drawn."""
    x, n = 3.0 if w == 0 else 0.7, 1 if w == 0 else 4000
    (found,) = fisher_information(Logistic(w), [steps_of(*[x] * n)], loss, n)
    p = 1 / (1 + torch.exp(torch.tensor(-w * x)))
    assert found.item() == pytest.approx((p * (1 - p) * x**2).item(), rel=1e-6 if w == 0 else 0.06)


def test_the_fisher_information_needs_no_correct_responses_and_counts_its_sequences():
    parts = [steps_of(1.0, 2.0), steps_of(3.0, 4.0), steps_of(100.0)]
    for labels in (0, 1):
        given = [replace(part, labels=torch.full_like(part.labels, labels)) for part in parts]
        (found,) = fisher_information(Logistic(0.0), given, loss, n=3)
        assert found.item() == pytest.approx((1 + 4 + 9) / 3 / 4)
    padding = replace(parts[0], labels=torch.tensor([[0, -100]]), weights=torch.tensor([[1.0, 1.0]]))
    (padded,) = fisher_information(Logistic(0.0), [padding], loss)
    assert padded.item() == pytest.approx(1 / 8)  # nothing is asked in the second


def test_the_path_integral_is_the_fall_of_a_quadratic_loss():
    curvature, start = torch.tensor([1.0, 4.0, 0.0]), torch.tensor([3.0, -1.0, 2.0])
    weight = nn.Parameter(start.clone())
    penalty = Penalty([weight], [], 1.0, keep_path=True)
    rate = 1e-3
    for _ in range(2000):
        weight.grad = curvature * weight.detach()
        penalty.add_gradient()
        with torch.no_grad():
            weight -= rate * weight.grad
        penalty.add_to_path()
    fall = 0.5 * curvature * (start**2 - weight.detach() ** 2)
    (path,) = penalty.path_sums
    assert torch.allclose(path, fall, rtol=3e-3)
    assert path[2] == 0


def test_a_penalty_pulls_each_weight_to_where_it_mattered():
    """The minimum of ½ (θ − 1)² + ½ λ Σ a (θ − θₖ)² is (1 + λ Σ a θₖ) / (1 + λ Σ a); the path sees the loss alone."""
    weight = nn.Parameter(torch.zeros(2))
    a, b = torch.tensor([3.0, 0.0]), torch.tensor([-6.0, 0.0])
    penalty = Penalty([weight], [(a, b)], 2.0, keep_path=True)
    for _ in range(2000):
        weight.grad = weight.detach() - 1
        penalty.add_gradient()
        with torch.no_grad():
            weight -= 0.01 * weight.grad
        penalty.add_to_path()
    minimum = torch.tensor([(1 - 12) / 7, 1.0])
    assert torch.allclose(weight.detach(), minimum, atol=1e-5)
    fall = 0.5 - 0.5 * (minimum - 1) ** 2
    assert torch.allclose(penalty.path_sums[0], fall, rtol=0.05)
    weight.grad = None  # fixed weights have none
    penalty.add_gradient()
    penalty.add_to_path()
    assert weight.grad is None


@pytest.fixture
def chain(small):
    """A config of a third stage, after two that have been trained."""
    first = small(tasks=TASKS, train_on=TASKS[:1], penalty="si", hidden=8)
    train(first)

    def after(before: TrainConfig, name: str, **changes) -> TrainConfig:
        settings = {**before.model_dump(), "out": first.out.parent / name, "start": before.out, **changes}
        return TrainConfig(**settings)

    second = after(first, "second", train_on=TASKS[1:2])
    train(second)
    return after(second, "third", train_on=TASKS[2:])


def weights(config: TrainConfig, name: str = "model") -> dict[str, torch.Tensor]:
    return load_file(latest(config.out / "checkpoints") / f"{name}.safetensors")


def test_path_integrals_are_added_up_over_the_stages(chain):
    from modcog import Battery
    from modcog.training.run import build_model

    network = build_model(chain, Battery.from_config(chain.battery_settings()))
    names = [name for name, _ in network.named_parameters()]
    first, second = chain.earlier
    before = {name: one.detach().clone() for name, one in network.named_parameters()}
    pulls = _intelligence(chain.earlier, network, loss)
    for k, name in enumerate(names):
        omega = 0
        for old, config in ((before, first), (weights(first), second)):
            path = weights(config, "optimizer")[f"path.sum.{k}"]
            omega += path.clamp(min=0) / ((weights(config)[name] - old[name]) ** 2 + DAMPING)
        assert torch.allclose(pulls[k][0], 2 * omega)
        assert torch.allclose(pulls[k][1], 2 * omega * weights(second)[name])
    assert any(a.any() for a, _ in pulls)


def test_fisher_informations_are_added_up_over_the_stages(chain):
    from modcog import Battery
    from modcog.training.run import build_model

    network = build_model(chain, Battery.from_config(chain.battery_settings()))
    names = [name for name, _ in network.named_parameters()]
    parts = [_consolidation([config], network, loss) for config in chain.earlier]
    both = _consolidation(chain.earlier, network, loss)
    for k, name in enumerate(names):
        assert (both[k][0] >= 0).all()
        assert torch.allclose(both[k][0], parts[0][k][0] + parts[1][k][0])
        assert torch.allclose(
            both[k][1],
            sum(part[k][0] * weights(stage)[name] for part, stage in zip(parts, chain.earlier, strict=False)),
        )


@pytest.mark.parametrize("penalty", ["ewc", "si"])
def test_a_penalty_keeps_weights_where_they_were(chain, penalty):
    ends = {}
    for strength in (0.0, 1e4):
        config = chain.model_copy(
            update={"penalty": penalty, "strength": strength, "out": chain.out.parent / f"{strength}"}
        )
        train(config)
        ends[strength] = weights(config)
    start = weights(chain.earlier[-1])
    moved = {strength: sum(float(((one[name] - start[name]) ** 2).sum()) for name in start if one[name].is_floating_point())  # noqa: E501
             for strength, one in ends.items()}  # fmt: skip
    assert moved[1e4] < moved[0.0]
    none = chain.model_copy(update={"penalty": "none", "out": chain.out.parent / "none"})
    train(none)
    assert all(torch.equal(one, weights(none)[name]) for name, one in ends[0.0].items())


def test_a_path_that_was_not_kept_is_refused(small):
    first = small(tasks=TASKS, train_on=TASKS[:1])
    train(first)
    with pytest.raises(
        ModcogError, match="has no path integral of each weight: the run was not trained with penalty 'si'"
    ):
        train(TrainConfig(**{**first.model_dump(), "start": first.out, "penalty": "si", "out": first.out.parent / "b"}))
