"""The bar: rate and time left, and nothing where nobody looks."""

from __future__ import annotations

import io
import sys

import pytest

from modcog.progress import ProgressBar


def test_rate_and_amount_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("export", "trials", 100, done=40, show=True) as bar:
        bar.advance(60, bytes=5_000_000, loss=0.12345, task="go")
    shown = capsys.readouterr()
    for text in ("export", "100/100", "trials/s", "MB/s", "loss 0.123", "task go"):
        assert text in shown.err
    assert not shown.out


@pytest.mark.parametrize(("n", "size", "status"), [(10, 4_000_000, "5 trials/s 2 MB/s"), (1000, 0, "500 trials/s")])
def test_what_was_there_before_does_not_count_for_the_rate(
    monkeypatch: pytest.MonkeyPatch, n: int, size: int, status: str
) -> None:
    now = [0.0]
    monkeypatch.setattr("modcog.progress.time.monotonic", lambda: now[0])
    bar = ProgressBar("export", "trials", 100, done=40, show=True)
    now[0] = 2.0
    bar.advance(n, bytes=size)
    assert bar._bar.tasks[0].fields["status"] == status
    assert bar._bar.tasks[0].completed == 40 + n


def test_nothing_is_shown_unless_asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for show in (False, None):
        with ProgressBar("export", "trials", 1, show=show) as bar:
            bar.advance()
    assert capsys.readouterr() == ("", "")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    with ProgressBar("export", "trials", 1) as bar:
        bar.advance()
    assert "1/1" in sys.stderr.getvalue()


def test_square_brackets_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """As in ``modcog[train]``; they are no markup."""
    with ProgressBar("runs[bold]", "cells", 2, show=True) as bar:
        bar.advance(1, task="go[red]")
    shown = capsys.readouterr().err
    assert "runs[bold]" in shown
    assert "go[red]" in shown


def test_nothing_shown_can_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("runs\x1b[2J\n", "cells", 2, show=True) as bar:
        bar.advance(1, task="go\x07")
    shown = capsys.readouterr().err
    assert "runs\\x1b[2J" in shown
    assert "go\\x07" in shown
    assert not {"\x1b", "\x07"} & set(shown)
