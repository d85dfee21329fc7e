# ruff: noqa: E501 (a table reads by row)
"""The base tasks as data, a row each, and the table that they and a user's own stand in.

What the rows say is the battery of Yang et al. 2019 (Nature Neuroscience 22, 297) with the timings of
Khona, Chandra, Ma and Fiete 2023 (Neural Computation 35(11), 1850). Durations are in ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modcog.tasks import decision, go, match
from modcog.tasks.base import Base

if TYPE_CHECKING:
    from modcog.settings import Timing


def _go(
    name: str, summary: str, *, anti: bool, delay: bool = False, reaction: bool = False, timed: str | None = None
) -> Base:
    middle = ({} if reaction else {"stimulus": 500}) | ({"delay": 500} if delay else {})
    periods: dict[str, Timing] = {"fixation": 500, **middle, "decision": 500}
    shows = ("decision",) if reaction else ("stimulus",)
    return Base(name, "go", summary, periods, shows, go.CONDITIONS, go.draw, timed, "none", {"anti": anti})


def _decision(
    name: str, summary: str, *, weights: tuple[int, int], shown: tuple[bool, bool], delay: bool = False
) -> Base:
    middle = {"stim1": 500, "delay": 500, "stim2": 500} if delay else {"stimulus": 500}
    periods: dict[str, Timing] = {"fixation": ("uniform", (200, 500)), **middle, "decision": 200}
    shows = ("stim1", "stim2") if delay else ("stimulus", "stimulus")
    params = {"weights": weights, "shown": shown, "sequential": delay}
    timed = "delay" if delay else None
    return Base(
        name, "decision", summary, periods, shows, decision.CONDITIONS, decision.draw, timed, "both", params,
        decision.STRENGTHS,
    )  # fmt: skip


def _match(name: str, summary: str, *, category: bool, respond_to_match: bool) -> Base:
    periods: dict[str, Timing] = {
        "fixation": 300, "sample": 500, "delay": ("uniform", (200, 1200)), "test": 500, "decision": 900,
    }  # fmt: skip
    params = {"category": category, "respond_to_match": respond_to_match}
    return Base(
        name, "match", summary, periods, ("sample", "test"), match.CONDITIONS, match.draw, "delay", "shown", params,
        ("match", "sample_direction"),
    )  # fmt: skip


_ONE, _TWO, _BOTH = (True, False), (False, True), (True, True)

YANG19: tuple[Base, ...] = (
    _go("go", "After the stimulus, respond in its direction.", anti=False, timed="stimulus"),
    _go("rtgo", "Respond in the stimulus's direction as soon as it appears.", anti=False, reaction=True),
    _go("dlygo", "Remember the stimulus over a delay, then respond in its direction.", anti=False, delay=True, timed="delay"),
    _go("anti", "After the stimulus, respond opposite to it.", anti=True),
    _go("rtanti", "Respond opposite to the stimulus as soon as it appears.", anti=True, reaction=True),
    _go("dlyanti", "Remember the stimulus over a delay, then respond opposite to it.", anti=True, delay=True, timed="delay"),
    _decision("dm1", "Two stimuli in modality 1: respond towards the stronger.", weights=(1, 0), shown=_ONE),
    _decision("dm2", "Two stimuli in modality 2: respond towards the stronger.", weights=(0, 1), shown=_TWO),
    _decision("ctxdm1", "Two directions in both modalities: respond towards the stronger in modality 1, ignore modality 2.", weights=(1, 0), shown=_BOTH),
    _decision("ctxdm2", "Two directions in both modalities: respond towards the stronger in modality 2, ignore modality 1.", weights=(0, 1), shown=_BOTH),
    _decision("multidm", "Two directions in both modalities: respond towards the stronger in sum.", weights=(1, 1), shown=_BOTH),
    _decision("dlydm1", "Two stimuli one after the other in modality 1: respond towards the stronger.", weights=(1, 0), shown=_ONE, delay=True),
    _decision("dlydm2", "Two stimuli one after the other in modality 2: respond towards the stronger.", weights=(0, 1), shown=_TWO, delay=True),
    _decision("ctxdlydm1", "Two directions one after the other in both modalities: respond towards the stronger in modality 1, ignore modality 2.", weights=(1, 0), shown=_BOTH, delay=True),
    _decision("ctxdlydm2", "Two directions one after the other in both modalities: respond towards the stronger in modality 2, ignore modality 1.", weights=(0, 1), shown=_BOTH, delay=True),
    _decision("multidlydm", "Two directions one after the other in both modalities: respond towards the stronger in sum.", weights=(1, 1), shown=_BOTH, delay=True),
    _match("dms", "If the test matches the sample's direction, respond to the test; else hold fixation.", category=False, respond_to_match=True),
    _match("dnms", "If the test does not match the sample's direction, respond to the test; else hold fixation.", category=False, respond_to_match=False),
    _match("dmc", "If test and sample are in the same half of the ring, respond to the test; else hold fixation.", category=True, respond_to_match=True),
    _match("dnmc", "If test and sample are in different halves of the ring, respond to the test; else hold fixation.", category=True, respond_to_match=False),
)  # fmt: skip
"""The 20 base tasks in canonical order."""

BASES: dict[str, Base] = {row.name: row for row in YANG19}
"""Every base task by name: the 20, and those a user has added."""
