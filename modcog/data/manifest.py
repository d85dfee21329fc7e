"""The manifest: the contents of a data set, file by file. It comes last; where it stands, the data set is whole."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from modcog.data.config import ExportConfig
from modcog.data.formats import get_format
from modcog.errors import ModcogError
from modcog.version import __version__

MANIFEST = "manifest.json"
UNFINISHED = ".export"
"""Folder of an export that is under way."""

ARRAYS = {
    "observations": "channels on the last axis: fixation cue, ring of modality 1, ring of modality 2",
    "labels": "the right action at each step: 0 hold fixation, 1 + k respond in direction k; −100 in padding",
}
"""Arrays that are stored step by step, with their meanings."""

OWN_COLUMNS = {
    "task": "index into the task names",
    "length": "steps of the trial; in a sequence, of the part that is in it",
    "start": "first step of the trial, from the start of the shard's arrays or, in layout stream, of its sequence",
    "sequence": "index in the shard of the sequence that the trial is in",
    "decision_start": "step of the trial at which the decision begins; length, if the trial is cut before",
}
"""Columns with a value for each trial, beside the conditions."""


class DamagedManifestError(ModcogError):
    """A manifest that cannot be read, or is not as it was written."""


def _inside(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\\" in value or not path.parts:
        raise ValueError("must be a path inside the data set")
    return value


InsidePath = Annotated[str, AfterValidator(_inside)]
"""A path relative to the data set, with forward slashes."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Model):
    """One file."""

    path: InsidePath
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ArrayEntry(_Model):
    """Shape and dtype of an array as it is stored."""

    shape: tuple[int, ...]
    dtype: str


class ShardEntry(_Model):
    """One shard."""

    path: InsidePath  # of the file or folder
    items: int  # trials or, in layout stream, sequences
    trials: tuple[int, ...]  # of each task, in the order of the tasks; a trial cut at a sequence's end counts
    arrays: dict[str, ArrayEntry]  # and columns, by name
    files: tuple[FileEntry, ...]


class Identity(_Model):
    """Everything that decides the bytes of a data set."""

    version: str  # of modcog
    library: str  # name and version of the packages that wrote the shards; empty where only modcog decides the bytes
    config: dict[str, Any]  # all settings

    @classmethod
    def here(cls, config: dict[str, Any]) -> Identity:
        """Return the identity of a data set that this process writes."""
        return cls(version=__version__, library=get_format(config["format"]).library(), config=config)

    def config_checked(self) -> ExportConfig:
        """Return the settings, checked again."""
        return ExportConfig.of(**self.config)

    def difference(self, there: Identity) -> str:
        """Return the differences as ``name is … there and … here; …``, or an empty string."""
        here, other = ({**identity.config, **dict(identity)} for identity in (self, there))
        names = [name for name in {**here, **other} if name != "config" and here.get(name) != other.get(name)]
        return "; ".join(
            f"{name} is {_short(other.get(name))} there and {_short(here.get(name))} here" for name in names
        )


class Manifest(_Model):
    """``manifest.json``."""

    manifest: Literal[1] = 1  # version of this schema
    identity: Identity
    tasks: tuple[str, ...]  # names; the column ``task`` indexes them
    periods: dict[str, tuple[str, ...]]  # of each task, in order
    dt: float  # time step, ms
    conditions: tuple[dict[str, Any], ...]  # name, kind and meaning of each, as ``Condition`` takes them
    columns: dict[str, str]  # meaning of each array and column
    splits: dict[str, tuple[ShardEntry, ...]]  # shards of each split, in order
    files: tuple[FileEntry, ...]  # the other files: metadata and data card, but not the picture
    checksum: str = ""  # SHA-256 of the manifest without this field, as compact JSON with sorted keys

    @property
    def config(self) -> ExportConfig:
        """The settings, checked again."""
        return self.identity.config_checked()

    def shards(self) -> list[ShardEntry]:
        """Return every shard, split after split."""
        return [shard for shards in self.splits.values() for shard in shards]

    def all_files(self) -> list[FileEntry]:
        """Return every file with a hash: all but the manifest and the picture."""
        return [*(file for shard in self.shards() for file in shard.files), *self.files]

    def lost(self, folder: Path) -> str | None:
        """Return what is wrong with the first file that is missing or has the wrong size, or None."""
        for file in self.all_files():
            path = folder / file.path
            if not path.is_file():
                return f"{path} is missing"
            if (size := path.stat().st_size) != file.bytes:
                return f"{path} has {size} bytes instead of {file.bytes}"
        return None

    def trials(self, split: str) -> list[int]:
        """Return the number of trials of each task in a split."""
        return [sum(counts) for counts in zip(*(shard.trials for shard in self.splits[split]), strict=True)]

    def signed(self, files: tuple[FileEntry, ...]) -> Manifest:
        """Return the same with the other files and its checksum."""
        whole = self.model_copy(update={"files": files})
        return whole.model_copy(update={"checksum": whole._checksum()})

    def _checksum(self) -> str:
        content = self.model_dump(mode="json", exclude={"checksum"})
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read and check the manifest of a data set.

        Raises:
            ModcogError: if there is none.
            DamagedManifestError: if it is not one, or has been changed.
        """
        path = folder / MANIFEST
        if not folder.is_dir():
            raise ModcogError(f"{folder}: there is no such folder")
        if not path.exists() and (folder / UNFINISHED).is_dir():
            raise ModcogError(f"{folder} holds an unfinished export: it has no {MANIFEST}; run the same export again")
        if not path.exists():
            raise ModcogError(f"{folder} is not a data set: it has no {MANIFEST}")
        try:
            manifest = cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise DamagedManifestError(f"cannot read {path}: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "it"
            raise DamagedManifestError(f"{path} is damaged: {where}: {first['msg']}") from None
        if manifest.checksum != manifest._checksum():
            raise DamagedManifestError(f"{path} is damaged: its content does not match its checksum")
        return manifest


def file_entry(path: Path, name: str) -> FileEntry:
    """Return the entry of a file that stands at ``path`` and will be called ``name``."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(1 << 20))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
        return FileEntry(path=name, bytes=file.tell(), sha256=digest.hexdigest())


def file_entries(path: Path, name: str) -> tuple[FileEntry, ...]:
    """Return the entries of a file, or of all files of a folder, sorted."""
    if path.is_dir():
        return tuple(file_entry(file, f"{name}/{file.relative_to(path).as_posix()}") for file in files_in(path))
    return (file_entry(path, name),)


def files_in(folder: Path) -> list[Path]:
    """Return all files in a folder and below, sorted."""
    found = [Path(where) / file for where, _, files in os.walk(folder) for file in files]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
