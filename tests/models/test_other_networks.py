"""Networks of other packages, as the page on them has them: causal, all weights trained, reproducible, with states.

Each is skipped where its package is not installed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import modcog
from modcog import analysis, models
from modcog.evaluation.evaluate import evaluate_on
from modcog.models.causality import sees_later_steps
from tests.test_docs import ROOT, blocks, marks

PAGE = ROOT / "docs/other-networks.md"
MAKERS = {
    made: marked["needs"]
    for info, _, text in blocks(PAGE)
    if "needs" in (marked := marks(info)[1])
    for made in re.findall(r"^def (make_\w+)", text, re.MULTILINE)
}
"""The functions of the page by name, with the package that each needs."""

BATTERY = modcog.Battery(["go", "dms"], rule_input=True)
HIDDEN = 16


@pytest.fixture(params=MAKERS)
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """``MODULE:NAME`` of a function of the page, in a module of the working directory."""
    needs = MAKERS[request.param]
    pytest.importorskip(needs)
    marked = [(marks(info)[1], text) for info, _, text in blocks(PAGE)]
    texts = [text for marks_of, text in marked if "file" in marks_of and marks_of.get("needs", needs) == needs]
    (tmp_path / "networks_of_others.py").write_text("".join(texts), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("networks_of_others", None)
    yield f"networks_of_others:{request.param}"
    sys.modules.pop("networks_of_others", None)


def build(name: str, seed: int = 0) -> torch.nn.Module:
    return models.build(name, BATTERY.n_channels, BATTERY.n_actions, hidden=HIDDEN, seed=seed)


def test_there_are_networks_on_the_page() -> None:
    assert len(MAKERS) == len(set(MAKERS.values())) == 5


def test_it_does_not_see_later_steps(name: str) -> None:
    assert not sees_later_steps(build(name), BATTERY.n_channels)


def test_all_its_weights_are_trained_and_it_starts_afresh(name: str) -> None:
    network = build(name)
    observations = torch.as_tensor(BATTERY.sample(16, seed=0).observations).transpose(0, 1)
    before = network(observations)
    before.square().mean().backward()
    assert [part for part, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert torch.equal(network(observations), before)


def test_its_seed_decides_its_weights(name: str) -> None:
    first, same, other = ([*build(name, seed).parameters()] for seed in (0, 0, 1))
    assert all(map(torch.equal, first, same))
    assert not all(map(torch.equal, first, other))


def test_it_returns_states_beside_the_same_logits(name: str) -> None:
    network = build(name)
    x = torch.randn(9, 3, BATTERY.n_channels)
    logits, states = network(x, return_states=True)
    assert states.shape == (9, 3, HIDDEN)
    assert torch.equal(network(x), logits)
    assert analysis.hidden_states(network, BATTERY, n_trials=3).n_units == HIDDEN


def test_it_is_scored_as_it_is_trained(name: str) -> None:
    """Time first, whatever its layers say of themselves."""
    network = build(name)
    trials = BATTERY.sample(40, seed=1)
    with torch.no_grad():
        actions = network.eval()(torch.as_tensor(trials.observations).transpose(0, 1)).argmax(-1).transpose(0, 1)
    expected = modcog.evaluation.score(actions.numpy(), trials).decision_accuracy
    assert evaluate_on(network, trials, BATTERY.n_actions).decision_accuracy == expected
    modcog.evaluate(network, BATTERY, n_trials=20)  # which refuses a network whose axes are swapped


@pytest.mark.parametrize("name", [name for name in MAKERS if "liquid" in name], indirect=True)
def test_a_liquid_network_continues_from_a_state(name: str) -> None:
    """So its fixed points can be searched."""
    network = build(name)
    x = torch.randn(9, 3, BATTERY.n_channels)
    states = network(x, return_states=True)[1]
    torch.testing.assert_close(network(x[4:], h0=states[3], return_states=True)[1], states[4:])


def test_versions_are_those_of_the_constraints() -> None:
    page, pinned = PAGE.read_text(encoding="utf-8"), (ROOT / "constraints.txt").read_text(encoding="utf-8")
    tried = dict(re.findall(r"^\| \[.*?\| `([\w-]+)` \| ([\d.]+) \|", page, re.MULTILINE))
    installed = dict(re.findall(r'^pip install .*"([\w-]+)==([\d.]+)"', page, re.MULTILINE))
    assert tried == installed
    assert len(tried) == len(MAKERS)
    assert [n for n in set(tried) - {"xlstm"} if f"\n{n}=={tried[n]}\n" not in pinned] == []
    assert re.findall(r"torch (\d+\.\d+)", page) == re.findall(r"^torch==(\d+\.\d+)", pinned, re.MULTILINE)
