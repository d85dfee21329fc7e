"""Settings of small data sets of every format and layout."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

FORMATS = ("npy", "hdf5", "zarr", "parquet")
LAYOUTS: dict[str, dict[str, Any]] = {
    "ragged": {"trials_per_task": 10, "shard_mb": 0.05},
    "padded": {"trials_per_task": 10, "shard_mb": 0.08, "padded": True},
    "stream": {"layout": "stream", "sequences": 24, "seq_len": 40, "shard_mb": 0.04},
}
TASKS = ["go", "rtantiseql", "ctxdm1", "multidlydmintrseqr", "dnmcintl"]
"""All families, both extensions, both signs."""

SPLITS = {"train": 0.5, "held-out": 0.5}


def small(kind: str, form: str = "npy", **more: Any) -> dict[str, Any]:
    """Settings of a data set of four small shards, two in each split."""
    return {"tasks": TASKS, "splits": SPLITS, "seed": 7, "format": form, **LAYOUTS[kind], **more}


def hashes(folder: Path) -> dict[str, str]:
    """The hash of every file in a folder, by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
