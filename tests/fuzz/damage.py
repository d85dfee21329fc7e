"""Damage to folders: what disks, tools and strangers do to them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from strategies import PLAIN_ODD

Damage = Callable[[Path], str]
"""It damages a folder and returns the name of the file that is no longer as it was."""


def files_of(folder: Path, unless: tuple[str, ...] = ()) -> list[str]:
    """Return the files of a folder by relative path."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name not in unless)
    return sorted(path.relative_to(folder).as_posix() for path in found)


def snapshot(folder: Path, unless: tuple[str, ...] = ()) -> dict[str, str]:
    """Return everything in a folder by relative path: kind, and content."""

    def seen(path: Path) -> str:
        if path.is_symlink():
            return f"link to {os.readlink(path)}"
        if path.is_file():
            return hashlib.sha256(path.read_bytes()).hexdigest()
        return "folder" if path.is_dir() else "special"

    found = (path for path in folder.rglob("*") if path.name not in unless)
    return {path.relative_to(folder).as_posix(): seen(path) for path in found}


def links_aside(state: dict[str, str]) -> dict[str, str]:
    """Return a snapshot without symbolic links."""
    return {path: what for path, what in state.items() if not what.startswith("link")}


def _replace(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _outside(path: Path, content: bytes) -> Path:
    """Return a file outside the folder with this content."""
    place = Path("outside")
    place.mkdir(exist_ok=True)
    target = (place / path.name).absolute()
    target.write_bytes(content)
    return target


def _link_to(target: str | Path) -> Callable[[Path], None]:
    def link(path: Path) -> None:
        _replace(path)
        path.symlink_to(target)

    return link


def _twin(path: Path) -> None:
    target = _outside(path, path.read_bytes())
    _replace(path)
    path.symlink_to(target)


def _folder(path: Path) -> None:
    _replace(path)
    path.mkdir()


def _fifo(path: Path) -> None:
    _replace(path)
    os.mkfifo(path)


def _itself(path: Path) -> None:
    _replace(path)
    path.symlink_to(path.name)


SPECIAL: dict[str, Callable[[Path], None]] = {
    "deleted": _replace,
    "empty": lambda path: path.write_bytes(b"") and None,
    "a folder": _folder,
    "a pipe": _fifo,
    "a link to the same": _twin,
    "a link to itself": _itself,
    "a link to nothing": _link_to("/proc/nowhere/at/all"),
    "a link to a folder": _link_to("/tmp"),
    "a link to a device": _link_to("/dev/zero"),
    "a link to the null device": _link_to("/dev/null"),
}


@st.composite
def damages(draw: st.DrawFn, files: list[str], others: dict[str, bytes]) -> tuple[str, Damage]:
    """Draw what is done to one of ``files``, and its description; ``others`` are files of other folders."""
    name = draw(st.sampled_from(files))
    kind = draw(st.sampled_from(["flip", "cut", "more", "swap", "other", "strange", "special", "special", "rename"]))
    place, size = draw(st.floats(0, 1)), draw(st.integers(1, 8))
    if kind == "flip":
        bits = draw(st.integers(1, 255))

        def change(path: Path) -> None:
            content = bytearray(path.read_bytes())
            start = int(place * max(0, len(content) - size))
            content[start : start + size] = bytes(byte ^ bits for byte in content[start : start + size])
            path.write_bytes(content)

    elif kind == "cut":

        def change(path: Path) -> None:
            os.truncate(path, int(place * path.stat().st_size))

    elif kind == "more":
        tail = draw(st.binary(min_size=1, max_size=8))

        def change(path: Path) -> None:
            path.write_bytes(path.read_bytes() + tail)

    elif kind == "swap":
        with_name = draw(st.sampled_from(files))

        def change(path: Path) -> None:
            other = path.parents[name.count("/")] / with_name
            first, second = path.read_bytes(), other.read_bytes()
            path.write_bytes(second)
            other.write_bytes(first)

    elif kind == "other":
        source = draw(st.sampled_from(sorted(others)))

        def change(path: Path) -> None:
            path.write_bytes(others[source])

    elif kind == "strange":
        stranger = draw(
            st.sampled_from(["extra.bin", ".hidden", "manifest.json.bak", "step-zzz", "ｎäme", "a\nb", "a\udc80"])
        )
        how = draw(st.sampled_from(["file", "folder", "pipe", "link"]))

        def change(path: Path) -> None:
            beside = path.with_name(stranger)
            {"file": lambda: beside.write_bytes(b"x"), "folder": beside.mkdir, "pipe": lambda: os.mkfifo(beside),
             "link": lambda: beside.symlink_to("/dev/zero")}[how]()  # fmt: skip

        kind = f"{how} {stranger!r} beside"
    elif kind == "rename":

        def change(path: Path) -> None:
            path.rename(path.with_name(path.name + "x"))

    else:
        kind = draw(st.sampled_from(sorted(SPECIAL)))
        change = SPECIAL[kind]

    def damage(folder: Path) -> str:
        change(folder / name)
        return name

    return f"{kind}: {name}", damage


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every value in what JSON holds."""
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield from places(item, (*path, key))


ODD_FIELDS = st.one_of(
    st.sampled_from(
        [-5, 0, 10**12, 10**30, "../../etc/passwd", "/etc/passwd", "/dev/zero", "..", "", "O", "|O", "object"]
    ),
    st.sampled_from(
        [[], {}, None, "\udcff", "hostile_marker:make", "os:system", 1e308, float("nan"), True, "a\x1b[31m\nb", [[]]]
    ),
    st.sampled_from(
        ["<i8", "float64", "zarr", "hdf5", "parquet", "stream", 1, 2, 0.5, "train", "go", [10**9], [-1, 3]]
    ),
    PLAIN_ODD,
)


@st.composite
def edits(draw: st.DrawFn, content: Any) -> Any:
    """Draw a copy of what JSON holds, with one field changed, removed or added."""
    changed = json.loads(json.dumps(content))
    place = draw(st.sampled_from(list(places(content))))
    value = draw(ODD_FIELDS)
    if not place:
        return value
    parent = changed
    for key in place[:-1]:
        parent = parent[key]
    kind = draw(st.sampled_from(["set", "set", "set", "remove", "add"]))
    if kind == "set":
        parent[place[-1]] = value
    elif kind == "remove":
        del parent[place[-1]]
    elif isinstance(parent, dict):
        parent["more"] = value
    else:
        parent.append(value)
    return changed


def resign(folder: Path, manifest: dict[str, Any]) -> None:
    """Write a manifest whose sizes, hashes and checksum fit, as one that wants to be believed would."""

    def fit(node: Any) -> None:
        if isinstance(node, dict):
            if node.keys() >= {"path", "bytes", "sha256"} and isinstance(node["path"], str):
                path = folder / node["path"]
                try:
                    content = path.read_bytes() if path.is_file() else b""
                except (OSError, ValueError):
                    content = b""
                if path.parts and content:
                    node |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for item in node.values():
                fit(item)
        elif isinstance(node, list):
            for item in node:
                fit(item)

    fit(manifest)
    if isinstance(manifest, dict):
        content = {name: value for name, value in manifest.items() if name != "checksum"}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        manifest["checksum"] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8", errors="surrogatepass")
