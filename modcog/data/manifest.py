"""The manifest: the contents of a data set, file by file. It comes last; where it stands, the data set is whole."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from modcog.data.config import ExportConfig
from modcog.data.formats import FORMATS, ShardForm, get_format
from modcog.errors import ModcogError, shown, unknown
from modcog.files import check_inside, look_below, read_regular
from modcog.tables import Brief
from modcog.tasks.condition import STEPS, Kind
from modcog.validation import validated
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


LARGEST_SHARD = 2 << 30
"""Bytes that the arrays of a shard may have; those of an export have a few times ``shard_mb``."""

LARGEST_MANIFEST = 256 << 20
"""Bytes that a manifest may have, and what an unfinished export keeps in its place."""


class DamagedManifestError(ModcogError):
    """A manifest that cannot be read, or is not as it was written."""


InsidePath = Annotated[str, AfterValidator(check_inside)]
"""A path relative to the data set, with forward slashes."""

Count = Annotated[int, Field(ge=0, le=2**53)]
DType = Literal["float32", "float64", "int16", "int32", "int64"]


class _Model(Brief, BaseModel):
    # No conversions: "3", 3.0 and true are no counts.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FileEntry(_Model):
    """One file."""

    path: InsidePath
    bytes: Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ArrayEntry(_Model):
    """Shape and dtype of an array as it is stored."""

    shape: tuple[Count, ...]
    dtype: DType

    @classmethod
    def of(cls, array: NDArray[Any]) -> ArrayEntry:
        """Return the entry of an array of any shape."""
        return cls.model_validate({"shape": array.shape, "dtype": array.dtype.name})

    @property
    def n_bytes(self) -> int:
        """Bytes that the array takes in memory."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class ConditionEntry(_Model):
    """A condition, as ``Condition`` takes it."""

    name: str
    kind: Kind
    meaning: str
    derived: bool
    off_grid: bool


class ShardEntry(_Model):
    """One shard."""

    path: InsidePath  # of the file or folder
    items: Annotated[Count, Field(ge=1)]  # trials or, in layout stream, sequences
    trials: tuple[Count, ...]  # of each task, in the order of the tasks; a trial cut at a sequence's end counts
    arrays: dict[str, ArrayEntry]  # and columns, by name
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1)]

    @property
    def dtypes(self) -> dict[str, DType]:
        """The dtype of each array and column."""
        return {name: entry.dtype for name, entry in self.arrays.items()}

    def form(self, tasks: tuple[str, ...]) -> ShardForm:
        """Return what a reader of the shard must find; ``tasks`` are the names that its column ``task`` indexes."""
        files = frozenset(file.path[len(self.path) + 1 :] for file in self.files)
        arrays = {name: (entry.shape, np.dtype(entry.dtype)) for name, entry in self.arrays.items()}
        return ShardForm(arrays, self.items, files, tasks)

    @model_validator(mode="after")
    def _fits_itself(self) -> ShardEntry:
        if any(file.path != self.path and not file.path.startswith(f"{self.path}/") for file in self.files):
            raise ModcogError(f"{self.path}: a file of the shard stands elsewhere")
        if not {*ARRAYS, "task", "length", "decision_start"} <= self.arrays.keys():
            raise ModcogError(f"{self.path}: lacks an array or column that every shard has")
        observations, labels = (self.arrays[name] for name in ARRAYS)
        fits = (observations.dtype, labels.dtype, observations.shape[:-1]) == ("float32", "int16", labels.shape)
        trials = (sum(self.trials),)
        if not fits or any(entry.shape != trials for name, entry in self.arrays.items() if name not in ARRAYS):
            raise ModcogError(f"{self.path}: the shapes of its arrays and columns do not fit together")
        if sum(entry.n_bytes for entry in self.arrays.values()) > LARGEST_SHARD:
            raise ModcogError(f"{self.path}: its arrays have more than {LARGEST_SHARD} bytes")
        return self


class Stored(_Model):
    """The settings that decide how a data set is read, of all that its ``Identity`` has."""

    model_config = ConfigDict(extra="ignore")

    layout: Literal["trials", "stream"]
    format: str
    padded: bool
    rule_input: bool | Literal["compositional"]
    dim_ring: Annotated[int, Field(ge=1, le=2**20)]
    seq_len: Annotated[int, Field(ge=1, le=2**53)] | None
    tasks: Annotated[list[str], Field(min_length=1)]
    splits: dict[str, float]

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in FORMATS:
            raise unknown("format", value, FORMATS)
        return value

    def columns(self) -> set[str]:
        """Return the columns of every shard beside the conditions."""
        own = {"task", "length", "decision_start"}
        return own | ({"sequence", "start"} if self.layout == "stream" else set() if self.padded else {"start"})

    def fits(self, shard: ShardEntry) -> bool:
        """Tell whether a shard's arrays have the shapes that the settings ask for."""
        if not self.columns() <= shard.arrays.keys():
            return False
        shape, trials = shard.arrays["labels"].shape, sum(shard.trials)
        if self.layout == "stream":
            rows = shape == (shard.items, self.seq_len) and trials >= shard.items
        else:
            rows = trials == shard.items and (shape[:-1] == (shard.items,) if self.padded else len(shape) == 1)
        whole = all(shard.arrays[name].dtype.startswith("int") for name in self.columns())
        channels = shard.arrays["observations"].shape[-1] == 1 + 2 * self.dim_ring
        return rows and whole and channels and len(shard.trials) == len(self.tasks)


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
        return validated(ExportConfig, self.config)

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
    dt: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # time step, ms
    conditions: tuple[ConditionEntry, ...]
    columns: dict[str, str]  # meaning of each array and column
    splits: dict[str, tuple[ShardEntry, ...]]  # shards of each split, in order
    files: tuple[FileEntry, ...]  # the other files: metadata and data card, but not the picture
    checksum: str = ""  # SHA-256 of the manifest without this field, as compact JSON with sorted keys
    _path: Path = PrivateAttr(Path(MANIFEST))

    @property
    def config(self) -> ExportConfig:
        """The settings, checked again.

        Raises:
            UnknownNameError: if a task is built on a user's own base task that is not known here.
            ModcogError: if a setting is wrong.
        """
        try:
            return self.identity.config_checked()
        except ModcogError as error:
            raise type(error)(f"{self._path}: {error}") from None

    @property
    def dtypes(self) -> dict[str, DType]:
        """The dtype of each array and column."""
        return self.shards()[0].dtypes

    @cached_property
    def stored(self) -> Stored:
        """The settings that decide how it is read."""
        return Stored.model_validate(self.identity.config)

    @model_validator(mode="after")
    def _fits_itself(self) -> Manifest:
        # What does not need the shards' files is checked here, once; nothing that is read later need doubt it.
        stored, shards = self.stored, self.shards()
        if [*self.tasks] != stored.tasks or self.periods.keys() != {*self.tasks} or len(self.periods) < len(self.tasks):
            raise ModcogError("tasks: must be those of the settings, each with its periods")
        if self.splits.keys() != stored.splits.keys() or not all(self.splits.values()):
            raise ModcogError("splits: must be those of the settings, each with a shard or more")
        names = {*ARRAYS, *stored.columns(), *(condition.name for condition in self.conditions)}
        for shard in shards:
            if not stored.fits(shard) or shard.dtypes != self.dtypes:
                raise ModcogError(f"{shard.path}: its arrays do not fit the settings")
        if names != self.dtypes.keys() or names != self.columns.keys():
            raise ModcogError("columns: must be those of the layout and of the conditions")
        if not {f"{STEPS}{period}" for periods in self.periods.values() for period in periods} <= names:
            raise ModcogError("periods: each must have a column of its steps")
        paths = [MANIFEST, *(file.path for file in self.all_files())]
        if len({path.lower() for path in paths}) < len(paths):
            raise ModcogError("files: two have the same path")
        return self

    def shards(self) -> list[ShardEntry]:
        """Return every shard, split after split."""
        return [shard for shards in self.splits.values() for shard in shards]

    def all_files(self) -> list[FileEntry]:
        """Return every file with a hash: all but the manifest and the picture."""
        return [*(file for shard in self.shards() for file in shard.files), *self.files]

    def lost(self, folder: Path) -> str | None:
        """Return what is wrong with the first file that is missing, no regular file or of another size, or None."""
        there = look_below(folder)
        wrong = (find_fault(file, there) for file in self.all_files())
        return next((f"{folder / fault.path}: {fault.detail}" for fault in wrong if fault), None)

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
        try:
            manifest = cls.model_validate_json(read_regular(path, LARGEST_MANIFEST))
        except FileNotFoundError:
            if (folder / UNFINISHED).is_dir():
                unfinished = f"{folder} holds an unfinished export: it has no {MANIFEST}; run the same export again"
                raise ModcogError(unfinished) from None
            raise ModcogError(f"{folder} is not a data set: it has no {MANIFEST}") from None
        except ValidationError as error:
            raise DamagedManifestError(f"{path} is damaged: {first_error(error)}") from None
        except ModcogError as error:
            raise DamagedManifestError(str(error)) from None
        if manifest.checksum != manifest._checksum():
            raise DamagedManifestError(f"{path} is damaged: its content does not match its checksum")
        manifest._path = path
        return manifest


def first_error(error: ValidationError) -> str:
    """Return the first thing that pydantic found, on one line."""
    first = error.errors()[0]
    where, cause = ".".join(map(str, first["loc"])), first.get("ctx", {}).get("error")
    if isinstance(cause, ValidationError):  # of a model that a validator reads
        return first_error(cause)
    return (f"{shown(where)[1:-1]}: " if where else "") + shown(str(cause or first["msg"]), 200)[1:-1]


@dataclass(frozen=True)
class Problem:
    """A file that is not as it was exported."""

    path: str  # relative to the data set
    kind: str  # missing, truncated, damaged, swapped, extra or unreadable
    detail: str

    def __str__(self) -> str:
        path = self.path if self.path.isprintable() else shown(self.path)
        return f"{self.kind}: {path}: {self.detail}"


def find_fault(file: FileEntry, there: Mapping[str, int | str]) -> Problem | None:
    """Return what is wrong with kind and size of a file among those that ``look_below`` has found, or None."""
    found = there.get(file.path)
    if found is None:
        link = next((str(above) for above in PurePosixPath(file.path).parents if str(above) in there), None)
        why = f": {link} is {there[link]}" if link else ""
        return Problem(file.path, "missing", f"the manifest names it, and it is not there{why}")
    if not isinstance(found, int):
        return Problem(file.path, "unreadable", f"it is {found}, must be a regular file")
    if found < file.bytes:
        return Problem(file.path, "truncated", f"it has {found} of {file.bytes} bytes")
    if found > file.bytes:
        return Problem(file.path, "damaged", f"it has {found} bytes instead of {file.bytes}")
    return None


def file_entry(path: Path, name: str) -> FileEntry:
    """Return the entry of a regular file that stands at ``path`` and will be called ``name``."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(1 << 20))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
        return FileEntry(path=name, bytes=file.tell(), sha256=digest.hexdigest())


def file_entries(path: Path, name: str) -> tuple[FileEntry, ...]:
    """Return the entries of a file, or of all files of a folder, sorted.

    Raises:
        OSError: if one is no regular file, or cannot be read.
    """
    found = look_below(path.parent, path.name)
    if odd := [f"{inner} is {kind}" for inner, kind in found.items() if not isinstance(kind, int)]:
        raise OSError(odd[0])
    return tuple(file_entry(path.parent / inner, name + inner[len(path.name) :]) for inner in found)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
