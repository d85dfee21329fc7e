"""``croissant.json``: MLCommons Croissant 1.0 metadata, for search engines and loaders.

It is written by hand, since importing ``mlcroissant`` takes longer than a small export.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from modcog.data.manifest import ARRAYS, Manifest

_TERMS = """citeAs column equivalentProperty extract field fileProperty fileObject fileSet format includes isLiveDataset
jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate separator source subField
transform"""
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS.split()},
}
_ENCODING = {
    ".npy": "application/x-npy", ".h5": "application/x-hdf5", ".parquet": "application/x-parquet",
    ".json": "application/json",
}  # fmt: skip
_PAPER = "https://doi.org/10.1162/neco_a_01613"
_CITE = (
    "Khona, M., Chandra, S., Ma, J. J. and Fiete, I. R. (2023). Winning the Lottery With Neural Connectivity "
    "Constraints: Faster Learning Across Cognitive Tasks With Spatially Constrained Sparse RNNs. Neural Computation "
    f"35(11), 1850. {_PAPER}"
)


def croissant(manifest: Manifest) -> str:
    """Return the metadata as JSON-LD."""
    kind = "trials" if manifest.stored.layout == "trials" else "sequences of trials"
    parquet = manifest.stored.format == "parquet"
    tasks = [{"tasks/index": i, "tasks/name": task} for i, task in enumerate(manifest.tasks)]
    value = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"mod-cog-{len(manifest.tasks)}-tasks",
        "description": f"Synthetic {kind} of {len(manifest.tasks)} cognitive tasks of the Mod-Cog battery, by modcog.",
        "version": manifest.identity.version,
        "license": "https://creativecommons.org/publicdomain/zero/1.0/",
        "url": _PAPER,
        "citeAs": _CITE,
        "creator": {"@type": "sc:Organization", "name": "The modcog developers"},
        "keywords": ["neuroscience", "cognitive tasks", "recurrent neural networks"],
        "distribution": [
            _node("FileObject", file.path, contentUrl=file.path, contentSize=f"{file.bytes} B", sha256=file.sha256,
                  encodingFormat=_ENCODING.get(PurePosixPath(file.path).suffix, "application/octet-stream"))
            for file in manifest.all_files()
        ] + [
            _node("FileSet", f"{split}-files", encodingFormat=_ENCODING[".parquet"], includes=f"{split}/*.parquet")
            for split in manifest.splits if parquet
        ],
        "recordSet": [
            _node("RecordSet", "splits", dataType="cr:Split", key={"@id": "splits/name"},
                  field=[_field("splits/name", "Text")], data=[{"splits/name": split} for split in manifest.splits]),
            _node("RecordSet", "tasks", description="The tasks; the column task " + ("names" if parquet else "indexes")
                  + " them.", key={"@id": "tasks/index"}, data=tasks,
                  field=[_field("tasks/index", "Integer"), _field("tasks/name", "Text")]),
            *(_rows(manifest, split) for split in manifest.splits if parquet),
        ],
    }  # fmt: skip
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _rows(manifest: Manifest, split: str) -> dict[str, Any]:
    """Return the record set of a split, whose rows loaders can read by name from Parquet."""
    arrays = manifest.splits[split][0].arrays
    fields = [
        _field(f"{split}-rows/{name}",
               "Text" if name == "task" else "Float" if arrays[name].dtype.startswith("float") else "Integer",
               description=meaning, repeated=name in ARRAYS or manifest.stored.layout == "stream",
               source={"fileSet": {"@id": f"{split}-files"}, "extract": {"column": name}})
        for name, meaning in manifest.columns.items()
    ]  # fmt: skip
    return _node("RecordSet", f"{split}-rows", field=fields)


def _node(kind: str, name: str, **properties: Any) -> dict[str, Any]:
    return {"@type": f"cr:{kind}", "@id": name, "name": name, **properties}


def _field(name: str, kind: str, **properties: Any) -> dict[str, Any]:
    return _node("Field", name, dataType=f"sc:{kind}", **properties) | {"name": name.rpartition("/")[2]}
