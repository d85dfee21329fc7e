"""The data card: ``README.md`` of a data set, with the header that Hugging Face reads, and its picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from io import BytesIO

import numpy as np

from modcog.battery import Battery
from modcog.data.manifest import Manifest
from modcog.plot import plot_trials
from modcog.seeds import Purpose, Seed
from modcog.trials.source import TrialSource

PICTURE = "trials.png"
"""The one file without a hash: its bytes depend on the version of matplotlib."""


@lru_cache(maxsize=4)
def picture(battery: Battery, seed: int) -> bytes:
    """Draw a trial of the first task of each family, and of the last task: of all 132, one with both extensions.

    Returns:
        bytes: of a PNG.
    """
    first = {spec.family: index for index, spec in reversed(list(enumerate(battery.tables.specs)))}
    tasks = np.unique([*first.values(), len(battery.tasks) - 1])
    trials = TrialSource(battery.tables, Seed.of(seed, Purpose.PICTURE)).block(0, tasks)
    file = BytesIO()
    plot_trials(trials).savefig(file, format="png", dpi=100)
    return file.getvalue()


def card(manifest: Manifest) -> str:
    """Return the card as Markdown."""
    identity, config = manifest.identity, manifest.config
    changed = config.model_dump(mode="json", exclude={"tasks"}, exclude_defaults=True)
    settings = ", ".join(f"{name} = {value}" for name, value in changed.items())
    items = "trials" if config.layout == "trials" else f"sequences of {config.seq_len} steps"
    amounts = ", ".join(f"{sum(s.items for s in shards):,} in {name}" for name, shards in manifest.splits.items())
    split, shards = next(iter(manifest.splits.items()))
    lazily, elsewhere = _reading(config.format, split, shards[0].path)
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

`modcog verify path/to/this/folder` checks every file but the picture against the hashes in `manifest.json`.

## Arrays and columns

| name | type | meaning |
| --- | --- | --- |
{_rows((name, shards[0].arrays[name].dtype, meaning) for name, meaning in manifest.columns.items())}

## Trials of each task

| task | {" | ".join(manifest.splits)} |
| --- |{" --- |" * len(manifest.splits)}
{_counts(manifest)}
"""


def _header(manifest: Manifest) -> str:
    lines = ["license: cc0-1.0", "tags: [neuroscience, cognitive-tasks, recurrent-neural-networks]"]
    if manifest.identity.config["format"] == "parquet":
        lines += ["configs:", "- config_name: default", "  data_files:"]
        for split in manifest.splits:
            lines += [f"  - split: {split.replace('-', '_')}", f'    path: "{split}/*.parquet"']
    return "\n".join(["---", *lines, "---"])


def _reading(form: str, split: str, path: str) -> tuple[str, str]:
    """Return how ``arrays`` reads a format, and how to read a shard without modcog."""
    return {
        "npy": (", memory-mapped", f"`numpy.load('{path}/observations.npy', mmap_mode='r')`, `labels.npy` likewise, "
                "and `trials.npy`, a record for each trial."),
        "hdf5": (", read when indexed", f"`h5py.File('{path}')['observations']`."),
        "zarr": (", read when indexed", f"`zarr.open_group('{path}', mode='r')['observations']`."),
        "parquet": ("", f"`pandas.read_parquet('{path}')`, `polars.read_parquet('{path}')` or "
                    f"`datasets.load_dataset('parquet', data_files='{split}/*.parquet')`."),
    }.get(form, ("", "see `manifest.json`."))  # fmt: skip


def _rows(rows: Iterable[Sequence[object]]) -> str:
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def _counts(manifest: Manifest) -> str:
    counts = [manifest.trials(split) for split in manifest.splits]
    return _rows([*zip(manifest.tasks, *counts, strict=True), ("all", *map(sum, counts))])
