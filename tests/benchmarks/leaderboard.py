"""Enter our networks into the leaderboard: docs/leaderboard/*.json, one file each, as it is finished.

python tests/benchmarks/leaderboard.py runs/leaderboard                      # all networks, core hours; resumes
python tests/benchmarks/leaderboard.py runs/leaderboard --protocol modcog132-corrected --networks dense lm-rnn gru

Each network is entered twice, with about 50,000 parameters and with 256 units, each with a learning rate of its own.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from modcog.experiments.benchmark.enter import enter
from modcog.experiments.benchmark.entries import write_entry
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
    for kind in given.units:
        for network, as_large in NETWORKS:
            if given.networks and network["arch"] not in given.networks:
                continue
            hidden = as_large if kind == "parameters" else UNITS
            file = given.entries / f"{slug(protocol, network, hidden)}.json"
            if file.exists():
                continue
            entry = enter(
                **network, hidden=hidden, protocol=protocol, out=given.runs, by="the modcog developers", search=True,
                jobs=given.jobs,
            )  # fmt: skip
            write_entry(entry, file)
            print(f"{file.name}: {100 * entry.means.decision:.1f} % at rate {entry.settings['learning_rate']:g}")


def slug(protocol: Protocol, network: dict[str, Any], hidden: int) -> str:
    """Return the name of an entry's file."""
    density = f"{100 * network['density']:g}-percent" if "density" in network else ""
    return re.sub("-+", "-", "-".join([protocol.name, network["arch"], density, str(hidden)]))


if __name__ == "__main__":
    main()
