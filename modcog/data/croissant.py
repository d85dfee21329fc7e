"""``croissant.json``: MLCommons Croissant 1.0 metadata, so that search engines and loaders can read what this is."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from modcog.data.manifest import Manifest

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_ENCODING = {
    ".npy": "application/x-npy",
    ".h5": "application/x-hdf5",
    ".parquet": "application/x-parquet",
    ".json": "application/json",
}
_CITE = (
    "Khona, M., Chandra, S., Ma, J. J. and Fiete, I. R. (2023). Winning the Lottery With Neural Connectivity "
    "Constraints: Faster Learning Across Cognitive Tasks With Spatially Constrained Sparse RNNs. Neural Computation "
    "35(11), 1850. "
    "https://doi.org/10.1162/neco_a_01613"
)


def croissant(manifest: Manifest) -> str:
    """The metadata as JSON-LD."""
    value = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"mod-cog-{len(manifest.tasks)}-tasks",
        "description": _description(manifest),
        "version": manifest.identity.version,
        "license": "https://creativecommons.org/publicdomain/zero/1.0/",
        "url": "https://doi.org/10.1162/neco_a_01613",
        "citeAs": _CITE,
        "creator": {"@type": "sc:Organization", "name": "The modcog developers"},
        "keywords": ["neuroscience", "cognitive tasks", "recurrent neural networks"],
        "distribution": _distribution(manifest),
        "recordSet": [_splits(manifest), _tasks(manifest), *_rows(manifest)],
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _description(manifest: Manifest) -> str:
    kind = "trials" if manifest.identity.config["layout"] == "trials" else "sequences of trials"
    return f"Synthetic {kind} of {len(manifest.tasks)} cognitive tasks of the Mod-Cog battery, made by modcog."


def _distribution(manifest: Manifest) -> list[dict[str, Any]]:
    """Every file of every shard, with its hash."""
    return [
        {
            "@type": "cr:FileObject",
            "@id": file.path,
            "name": file.path,
            "contentUrl": file.path,
            "contentSize": f"{file.bytes} B",
            "encodingFormat": _ENCODING.get(PurePosixPath(file.path).suffix, "application/octet-stream"),
            "sha256": file.sha256,
        }
        for file in manifest.all_files()
    ] + _file_sets(manifest)


def _file_sets(manifest: Manifest) -> list[dict[str, Any]]:
    if manifest.identity.config["format"] != "parquet":
        return []
    return [
        {
            "@type": "cr:FileSet",
            "@id": f"{split}-files",
            "name": f"{split}-files",
            "encodingFormat": _ENCODING[".parquet"],
            "includes": f"{split}/*.parquet",
        }
        for split in manifest.splits
    ]


def _splits(manifest: Manifest) -> dict[str, Any]:
    names = [{"splits/name": split} for split in manifest.splits]
    field = {"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"}
    return {
        "@type": "cr:RecordSet", "@id": "splits", "name": "splits", "dataType": "cr:Split",
        "key": {"@id": "splits/name"}, "field": [field], "data": names,
    }  # fmt: skip


def _tasks(manifest: Manifest) -> dict[str, Any]:
    index = {"@type": "cr:Field", "@id": "tasks/index", "name": "index", "dataType": "sc:Integer"}
    name = {"@type": "cr:Field", "@id": "tasks/name", "name": "name", "dataType": "sc:Text"}
    return {
        "@type": "cr:RecordSet", "@id": "tasks", "name": "tasks",
        "description": "The tasks; the column task indexes them.",
        "key": {"@id": "tasks/index"}, "field": [index, name],
        "data": [{"tasks/index": i, "tasks/name": task} for i, task in enumerate(manifest.tasks)],
    }  # fmt: skip


def _rows(manifest: Manifest) -> list[dict[str, Any]]:
    """Where rows can be read by name (parquet): a record set for each split."""
    if manifest.identity.config["format"] != "parquet":
        return []
    return [_row(manifest, split) for split in manifest.splits]


def _row(manifest: Manifest, split: str) -> dict[str, Any]:
    arrays = manifest.splits[split][0].arrays
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{split}-rows/{name}",
            "name": name,
            "description": meaning,
            "dataType": "sc:Float" if arrays[name].dtype.startswith("float") else "sc:Integer",
            "source": {"fileSet": {"@id": f"{split}-files"}, "extract": {"column": name}},
        }
        for name, meaning in manifest.columns.items()
    ]
    return {"@type": "cr:RecordSet", "@id": f"{split}-rows", "name": f"{split}-rows", "field": fields}
