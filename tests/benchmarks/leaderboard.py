"""Enter our networks into the leaderboard: docs/leaderboard/*.json, one file each, as it is finished.

python tests/benchmarks/leaderboard.py runs/leaderboard                      # all networks, core hours; resumes
python tests/benchmarks/leaderboard.py runs/leaderboard --protocol modcog132-corrected --networks dense lm-rnn gru

Each network is entered twice, with about 50,000 parameters and with 256 units. The learning rate is chosen by whole
runs of the former, and taken for the latter, too.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from modcog.experiments.benchmark.enter import enter
from modcog.experiments.benchmark.entries import Search, find_entries, read_entry, write_entry
from modcog.experiments.benchmark.protocol import DEFAULT, NETWORKS, PROTOCOLS, UNITS, Protocol

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Read the command line, and enter what is not in the folder yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="folder of the runs")
    parser.add_argument("--protocol", choices=PROTOCOLS, default=DEFAULT)
    parser.add_argument("--networks", nargs="*", default=[], metavar="ARCH", help="architectures; default: all")
    parser.add_argument("--units", nargs="*", default=["parameters", "units"], choices=["parameters", "units"])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--entries", type=Path, default=ROOT / "docs" / "leaderboard")
    given = parser.parse_args()
    protocol = PROTOCOLS[given.protocol]
    searches = known_searches(given.entries)
    for kind in given.units:
        for network, as_large in NETWORKS:
            if given.networks and network["arch"] not in given.networks:
                continue
            hidden = as_large if kind == "parameters" else UNITS
            key = (network["arch"], network.get("density"))
            file = given.entries / f"{slug(protocol, network, hidden)}.json"
            if file.exists():
                continue
            entry = enter(
                **network, hidden=hidden, protocol=protocol, out=given.runs, by="the modcog developers",
                search=searches.get(key, True), jobs=given.jobs,
            )  # fmt: skip
            write_entry(entry, file)
            searches[key] = entry.search
            print(f"{file.name}: {100 * entry.means.decision:.1f} % at rate {entry.settings['learning_rate']:g}")


def known_searches(folder: Path) -> dict[tuple[str, float | None], Search | None]:
    """Return the searches of the entries of a folder."""
    entries = map(read_entry, find_entries(folder))
    return {(one.settings["arch"], one.settings["density"]): one.search for one in entries if one.search}


def slug(protocol: Protocol, network: dict[str, Any], hidden: int) -> str:
    """Return the name of an entry's file."""
    density = f"{100 * network['density']:g}-percent" if "density" in network else ""
    return re.sub("-+", "-", "-".join([protocol.name, network["arch"], density, str(hidden)]))


if __name__ == "__main__":
    main()
