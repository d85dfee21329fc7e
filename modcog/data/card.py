"""The data card: ``README.md`` of a data set, with the header that Hugging Face reads."""

from __future__ import annotations

from modcog.data.manifest import Manifest


def card(manifest: Manifest) -> str:
    """The card as Markdown."""
    parts = (_header, _what, _load, _columns, _counts)
    return "\n\n".join(part(manifest) for part in parts) + "\n"


def _header(manifest: Manifest) -> str:
    lines = ["---", "license: cc0-1.0", "tags: [neuroscience, cognitive-tasks, recurrent-neural-networks]"]
    if manifest.identity.config["format"] == "parquet":
        lines += ["configs:", "- config_name: default", "  data_files:"]
        for split in manifest.splits:
            lines += [f"  - split: {split.replace('-', '_')}", f'    path: "{split}/*.parquet"']
    return "\n".join([*lines, "---"])


def _what(manifest: Manifest) -> str:
    config = manifest.config
    changed = config.model_dump(mode="json", exclude={"tasks"}, exclude_defaults=True)
    settings = ", ".join(f"{name} = {value}" for name, value in changed.items())
    items = "trials" if config.layout == "trials" else f"sequences of {config.seq_len} steps"
    amounts = ", ".join(f"{sum(s.items for s in shards):,} in {name}" for name, shards in manifest.splits.items())
    channels = 1 + 2 * config.dim_ring
    return f"""# {len(manifest.tasks)} cognitive tasks of the Mod-Cog battery

Synthetic trials for training and testing recurrent networks, made by modcog {manifest.identity.version} after Khona,
Chandra, Ma and Fiete, "Winning the Lottery With Neural Connectivity Constraints", Neural Computation 35(11), 2023
(doi:10.1162/neco_a_01613), and Yang et al., Nature Neuroscience 22, 2019 (doi:10.1038/s41593-018-0310-2).

![A trial of each of a few tasks](trials.svg)

*A trial of each of a few tasks: the {channels} observation channels in grey (fixation cue, ring of modality 1, ring of
modality 2); below them the right response in orange (its top row is to hold fixation, then come the {config.dim_ring}
directions). The decision begins at the dashed line.*

- Items: {amounts} ({items}).
- Format: {config.format}{f" (written by {manifest.identity.library})" if manifest.identity.library else ""}.
- Settings that differ from the defaults: {settings or "none"}. All of them are in `manifest.json`.
- Every split has random numbers of its own, so no trial is in two of them; tasks without noise have few different
  trials, so equal ones occur."""


def _load(manifest: Manifest) -> str:
    split = next(iter(manifest.splits))
    return f"""## Load

```python
import modcog

data = modcog.data.load("path/to/this/folder")  # checks the manifest
split = data["{split}"]
split[:100]  # Trials: observations, labels, mask, task, conditions
split.arrays(0)  # arrays of the first shard{_lazily(manifest)}
dataset = split.torch(rule_input=True)  # DataLoader(dataset, batch_size=64, collate_fn=dataset.collate)
```

{_elsewhere(manifest, split)}

`modcog verify path/to/this/folder` checks every file against the hashes in `manifest.json`."""


def _lazily(manifest: Manifest) -> str:
    return {"npy": ", memory-mapped", "parquet": ""}.get(manifest.identity.config["format"], ", read when indexed")


def _elsewhere(manifest: Manifest, split: str) -> str:
    """How to read a shard without modcog."""
    path = manifest.splits[split][0].path
    return "Without modcog: " + {
        "npy": f"`numpy.load('{path}/observations.npy', mmap_mode='r')`, `labels.npy` likewise, and `trials.npy`, "
        "a record for each trial.",
        "hdf5": f"`h5py.File('{path}')['observations']`.",
        "zarr": f"`zarr.open_group('{path}', mode='r')['observations']`.",
        "parquet": f"`pandas.read_parquet('{path}')`, `polars.read_parquet('{path}')` or "
        f"`datasets.load_dataset('parquet', data_files='{split}/*.parquet')`.",
    }.get(manifest.identity.config["format"], "see `manifest.json`.")


def _columns(manifest: Manifest) -> str:
    arrays = next(iter(manifest.splits.values()))[0].arrays
    rows = [f"| {name} | {arrays[name].dtype} | {meaning} |" for name, meaning in manifest.columns.items()]
    return "## What is stored\n\n| name | type | meaning |\n| --- | --- | --- |\n" + "\n".join(rows)


def _counts(manifest: Manifest) -> str:
    splits = list(manifest.splits)
    counts = [manifest.trials(split) for split in splits]
    rows = [f"| {task} | {' | '.join(str(c[i]) for c in counts)} |" for i, task in enumerate(manifest.tasks)]
    rows.append(f"| all | {' | '.join(str(sum(c)) for c in counts)} |")
    header = f"| task | {' | '.join(splits)} |\n|{' --- |' * (1 + len(splits))}"
    return "\n".join(["## Trials of each task\n", header, *rows])
