"""The data card: ``README.md`` of a data set, with the header that Hugging Face reads, and its picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from io import BytesIO
from math import inf

import numpy as np

from modcog.battery import Battery
from modcog.data.manifest import Manifest
from modcog.seeds import Purpose, Seed
from modcog.trials.source import TrialSource

PICTURE = "trials.png"
"""The one file without a hash: its bytes depend on the version of matplotlib."""

_SIZES = {
    1e3: "n<1K", 1e4: "1K<n<10K", 1e5: "10K<n<100K", 1e6: "100K<n<1M", 1e7: "1M<n<10M", 1e8: "10M<n<100M",
    1e9: "100M<n<1B", 1e10: "1B<n<10B", 1e11: "10B<n<100B", 1e12: "100B<n<1T", inf: "n>1T",
}  # fmt: skip
"""Hugging Face's names for the number of items, by the first number that is too large for one."""


@lru_cache(maxsize=4)
def picture(battery: Battery, seed: int) -> bytes:
    """Draw a trial of the first task of each family, and of the last task: of all 132, one with both extensions.

    Returns:
        bytes: of a PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # worker processes do not need it

    from modcog.plot import plot_trials

    first = {spec.family: index for index, spec in reversed(list(enumerate(battery.tables.specs)))}
    tasks = np.unique([*first.values(), len(battery.tasks) - 1])
    trials = TrialSource(battery.tables, Seed.of(seed, Purpose.PICTURE)).block(0, tasks)
    file = BytesIO()
    FigureCanvasAgg(plot_trials(trials)).print_png(file)  # type: ignore[no-untyped-call]  # savefig would draw it twice
    return file.getvalue()


def card(manifest: Manifest) -> str:
    """Return the card as Markdown."""
    identity, config = manifest.identity, manifest.config
    changed = config.model_dump(mode="json", exclude={"tasks"}, exclude_defaults=True)
    settings = ", ".join(f"{name} = {value}" for name, value in changed.items())
    items = "trials" if config.layout == "trials" else f"sequences of {config.seq_len} steps"
    amounts = ", ".join(f"{sum(s.items for s in shards):,} in {name}" for name, shards in manifest.splits.items())
    split, shards = next(iter(manifest.splits.items()))
    lazily, elsewhere = _reading(config.format, split, shards[0].path, manifest.tasks[0])
    return f"""{_header(manifest)}

# {len(manifest.tasks)} cognitive tasks of the Mod-Cog battery

Synthetic trials for training and testing recurrent networks, made by modcog {identity.version} after Khona, Chandra, Ma
and Fiete, "Winning the Lottery With Neural Connectivity Constraints", Neural Computation 35(11), 2023
(doi:10.1162/neco_a_01613), and Yang et al., Nature Neuroscience 22, 2019 (doi:10.1038/s41593-018-0310-2).

![Trials of some of the tasks]({PICTURE})

*Trials of some of the tasks: the {1 + 2 * config.dim_ring} observation channels (fixation cue, ring of modality 1, ring
of modality 2) and the right answer at each step. Dashed lines separate the periods.*

- Items: {amounts} ({items}).
- Format: {config.format}{f" (written by {identity.library})" if identity.library else ""}.
- Settings that differ from the defaults: {settings or "none"}. All of them are in `manifest.json`.
- Every split has its own random numbers, so no trial is in two of them; noise-free tasks have few distinct trials, so
  equal ones occur.

## Load

```python
import modcog

data = modcog.data.load("path/to/this/folder")  # checks the manifest
split = data["{split}"]
split[:100]  # Trials: observations, labels, mask, task, conditions
split.arrays(0)  # arrays of the first shard{lazily}
dataset = split.torch(rule_input=True)  # DataLoader(dataset, batch_size=64, collate_fn=dataset.collate)
```

Without modcog: {elsewhere}
{_hugging_face(manifest)}
`modcog verify path/to/this/folder` checks every file but the picture against the hashes in `manifest.json`.

## Arrays and columns

| name | type | meaning |
| --- | --- | --- |
{_rows((name, _dtype(manifest, name), meaning) for name, meaning in manifest.columns.items())}

## Trials of each task

| task | {" | ".join(manifest.splits)} |
| --- |{" --- |" * len(manifest.splits)}
{_counts(manifest)}
"""


def _header(manifest: Manifest) -> str:
    n, tasks = sum(shard.items for shard in manifest.shards()), len(manifest.tasks)
    lines = [
        "license: cc0-1.0",
        f"pretty_name: {tasks} cognitive task{'s' * (tasks > 1)} of the Mod-Cog battery",
        "tags: [neuroscience, cognitive-tasks, recurrent-neural-networks]",
        f"size_categories: [{next(size for most, size in _SIZES.items() if n < most)}]",
    ]
    if manifest.stored.format == "parquet":
        lines += ["configs:", "- config_name: default", "  data_files:"]
        for split in manifest.splits:
            lines += [f"  - split: {_hf_name(split)}", f'    path: "{split}/*.parquet"']
    return "\n".join(["---", *lines, "---"])


def _hf_name(split: str) -> str:
    return split.replace("-", "_")


def _hugging_face(manifest: Manifest) -> str:
    """Return how Hugging Face and PyTorch read Parquet."""
    if manifest.stored.format != "parquet":
        return ""
    return f"""
With Hugging Face and PyTorch:

```python
import torch
from datasets import load_dataset
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

def collate(rows):
    return {{
        "observations": pad_sequence([row["observations"] for row in rows]),  # (T, B, C)
        "labels": pad_sequence([row["labels"] for row in rows], padding_value=-100),  # (T, B); losses ignore −100
        "task": [row["task"] for row in rows],
    }}

rows = load_dataset("path/to/this/folder", split="{_hf_name(next(iter(manifest.splits)))}")
rows = rows.select_columns(["observations", "labels", "task"]).with_format("torch")
loader = DataLoader(rows, batch_size=64, shuffle=True, collate_fn=collate)
```
"""


def _dtype(manifest: Manifest, name: str) -> str:
    return "string" if name == "task" and manifest.stored.format == "parquet" else manifest.dtypes[name]


def _reading(form: str, split: str, path: str, task: str) -> tuple[str, str]:
    """Return how ``arrays`` reads a format, and how to read a shard without modcog."""
    return {
        "npy": (", memory-mapped", f"`numpy.load('{path}/observations.npy', mmap_mode='r')`, `labels.npy` likewise, "
                "and `trials.npy`, a record for each trial."),
        "hdf5": (", read when indexed", f"`h5py.File('{path}')['observations']`."),
        "zarr": (", read when indexed", f"`zarr.open_group('{path}', mode='r')['observations']`."),
        "parquet": ("", f"`pandas.read_parquet('{path}')`, `polars.read_parquet('{path}')` or "
                    f"`duckdb.sql(\"select * from '{split}/*.parquet' where task = '{task}'\")`."),
    }.get(form, ("", "see `manifest.json`."))  # fmt: skip


def _rows(rows: Iterable[Sequence[object]]) -> str:
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def _counts(manifest: Manifest) -> str:
    counts = [manifest.trials(split) for split in manifest.splits]
    return _rows([*zip(manifest.tasks, *counts, strict=True), ("all", *map(sum, counts))])
