"""Held-out compositions: splits of tasks into those to train on and those to be asked for without training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from modcog.errors import unknown
from modcog.tasks.names import resolve

_HELD_OUT = (
    (
        "dlyantiintl dlydm2intr ctxdlydm1intl dnmcintl rtantiseqr dmsseqr dnmcseqr antiseql ctxdm2seql ctxdlydm2seql "
        "multidlydmseql dnmsseql dlygointlseqr dlyantiintlseqr dlydm1intlseqr ctxdlydm1intlseql ctxdlydm2intlseql "
        "multidlydmintrseqr dnmsintlseql dmcintrseqr dnmcintrseql gointrseqr"
    ),
    (
        "dlygointr dlydm1intl ctxdlydm2intr dmsintr dm2seqr ctxdm1seqr dlydm1seqr dnmsseqr rtantiseql dlyantiseql "
        "multidmseql dmsseql dlygointrseqr dlyantiintrseqr dlydm1intlseql dlydm2intlseql multidlydmintrseql "
        "dmsintrseqr dnmsintrseqr dnmcintlseqr gointr gointrseql"
    ),
    (
        "dlydm2intl multidlydmintr dnmsintl dnmcintr rtgoseqr dlygoseqr antiseqr ctxdm2seqr dlydm2seqr dmcseqr "
        "dm2seql ctxdm1seql dlydm1seql dlyantiintrseql dlydm1intrseql dlydm2intrseql ctxdlydm1intlseqr "
        "ctxdlydm2intrseqr multidlydmintlseqr dmsintrseql dnmsintrseql dmcintlseql gointlseql"
    ),
    (
        "ctxdlydm1intr ctxdlydm2intl multidlydmintl dnmsintr dmcintr goseqr dm1seqr ctxdlydm1seqr rtgoseql dlygoseql "
        "dlydm2seql dnmcseql dlygointrseql dlyantiintlseql dlydm2intrseqr ctxdlydm1intrseqr ctxdlydm2intrseql "
        "multidlydmintlseql dmsintlseqr dmcintlseqr dnmcintlseql gointl"
    ),
    (
        "dlygointl dlyantiintr dlydm1intr dmsintl dmcintl dlyantiseqr multidmseqr ctxdlydm2seqr multidlydmseqr goseql "
        "dm1seql ctxdlydm1seql dmcseql dlygointlseql dlydm1intrseqr dlydm2intlseqr ctxdlydm1intrseql "
        "ctxdlydm2intlseqr dmsintlseql dnmsintlseqr dmcintrseql dnmcintrseqr gointlseqr"
    ),
)  # fmt: skip
"""Found by tests/benchmarks/make_splits.py."""

HELD_OUT: dict[str, tuple[str, ...]] = {f"composition-{k}": tuple(of.split()) for k, of in enumerate(_HELD_OUT, 1)}
"""Tasks that each named split holds out, in canonical order."""


class Split(NamedTuple):
    """Names of the tasks of a split, each in the order that they were given.

    Attributes:
        training: tasks to train on.
        held_out: tasks that the trained network is asked for.
    """

    training: tuple[str, ...]
    held_out: tuple[str, ...]


def split(tasks: str | Iterable[str] = "modcog132", *, name: str) -> Split:
    """Return the tasks that a network is trained on, and those that are held out.

    There are five splits, ``"composition-1"`` … ``"composition-5"``. Each holds out 22 or 23 of the 112 extended tasks,
    each task in one of them. Of the 132 tasks each split trains every base task plain and with at least one task of
    each kind of extension that it has (interval, sequence, both), and each of the four signs alone with at least half
    of the base tasks that have it. Train with ``rule_input="compositional"``, whose channels then all occur in
    training.

    Args:
        tasks: the name of a collection, or a list of task names. Of fewer than the 132 tasks a split may hold out more
            than it trains.
        name: of the split.

    Raises:
        UnknownNameError: for a task, collection or split that does not exist.
        ModcogError: for something that is no list of names.

    Examples:
        >>> training, held_out = split("modcog132", name="composition-1")
        >>> len(training), len(held_out)
        (110, 22)
    """
    if not isinstance(name, str) or name not in HELD_OUT:
        raise unknown("split", name, HELD_OUT)
    names, out = resolve(tasks), HELD_OUT[name]
    return Split(tuple(task for task in names if task not in out), tuple(task for task in names if task in out))
