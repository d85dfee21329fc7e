"""``modcog list``."""

from __future__ import annotations

import json

import modcog


def listed(run, *words: str) -> list[dict]:
    code, out, err = run("list", "--json", *words)
    assert (code, err) == (0, "")
    return json.loads(out)


def test_all_of_them_in_canonical_order(run) -> None:
    rows = listed(run)
    assert [row["name"] for row in rows] == list(modcog.TASKS)
    assert [row["index"] for row in rows] == list(range(132))


def test_a_collection(run) -> None:
    assert [row["name"] for row in listed(run, "--collection", "modcog82")] == list(modcog.TASKS[:82])


def test_extensions_part_the_battery(run) -> None:
    counts = {name: len(listed(run, "--extension", name)) for name in ("none", "interval", "sequence")}
    both = {row["name"] for row in listed(run, "--extension", "interval-sequence")}
    assert counts == {"none": 20, "interval": 24, "sequence": 40}
    assert both == set(modcog.collection("interval-sequence"))


def test_filters_add_up(run) -> None:
    rows = listed(run, "--family", "match", "--extension", "interval", "--base", "dmc")
    assert [row["name"] for row in rows] == ["dmcintr", "dmcintl"]
    assert {(row["family"], row["base"], row["extension"]) for row in rows} == {("match", "dmc", "interval")}
    assert listed(run, "--family", "go", "--base", "dmc") == []


def test_the_summary_tells_the_extensions(run) -> None:
    (row,) = [row for row in listed(run, "--base", "dlygo") if row["name"] == "dlygointrseql"]
    assert row["summary"] == (
        "Remember the stimulus over a delay, then respond in its direction. "
        "The answer moves right with the length of the delay, then keeps moving left during the decision."
    )
    (timed_stimulus,) = [row for row in listed(run, "--base", "go") if row["name"] == "gointl"]
    assert timed_stimulus["summary"].endswith("The answer moves left with the length of the stimulus.")


def test_the_table_has_columns_and_a_count(run) -> None:
    _, out, _ = run("list", "--base", "rtgo")
    header, *lines, count = out.splitlines()
    assert header.split() == ["index", "name", "family", "extension", "summary"]
    start = header.index("summary")
    assert all(line[start:].startswith("Respond in the stimulus's direction") for line in lines)
    assert count == "3 tasks"


def test_a_narrow_terminal_gets_whole_summaries_below(run, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    _, out, _ = run("list")
    assert max(map(len, out.splitlines())) <= 70
    names = [line.split()[1] for line in out.splitlines()[1:-1] if not line.startswith("       ")]
    assert names == list(modcog.TASKS)
    text = " ".join(out.split())
    assert all(row["summary"] in text for row in listed(run))
