"""The bar: rate and time left, and nothing where nobody looks."""

from __future__ import annotations

import pytest

from modcog.data.progress import Progress


def test_rate_and_amount_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("export", "trials", 100, done=40) as bar:
        bar.advance(60, 5_000_000)
    shown = capsys.readouterr()
    assert "100/100" in shown.err
    assert "trials/s" in shown.err
    assert "MB/s" in shown.err
    assert not shown.out


def test_what_was_there_before_does_not_count_for_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("modcog.data.progress.time.monotonic", lambda: now[0])
    bar = Progress("export", "trials", 100, done=40)
    now[0] = 2.0
    bar.advance(10, 4_000_000)
    assert bar._bar.tasks[0].fields["rate"] == "5 trials/s 2 MB/s"
    assert bar._bar.tasks[0].completed == 50


def test_nothing_is_shown_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("export", "trials", 1, shown=False) as bar:
        bar.advance(1, 1)
    assert capsys.readouterr() == ("", "")
