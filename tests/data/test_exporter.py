"""An export is the same to the byte however it is made, and safe however it ends."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from small_data import FORMATS, hashes, small

import modcog
from modcog import files
from modcog.data import DataSet, ExportConfig, export, exporter, load, manifest, verify

Made = Callable[..., DataSet]
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def temporary(folder: Path) -> list[str]:
    """Files that are there only while an export is under way."""
    return [name for name in hashes(folder) if name.startswith(".") or "/." in name]


@contextmanager
def begun(job: exporter.Job) -> Iterator[None]:
    """An export that has just started to write."""
    with job.only_writer():
        job.inside("settings.json").write_text(job.identity.model_dump_json())
        yield


def child(settings: dict[str, Any], before: str = "") -> subprocess.Popen[str]:
    """An export in a process of its own; ``before`` runs first."""
    code = f"import json, sys, modcog.data\n{before}\nmodcog.data.export(**json.loads(sys.argv[1]))"
    command = [sys.executable, "-c", code, json.dumps({**settings, "out": str(settings["out"])})]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize(("kind", "form"), [("ragged", "npy"), ("stream", "parquet")])
def test_two_workers_write_the_same_bytes(made: Made, tmp_path: Path, kind: str, form: str) -> None:
    export(tmp_path, **small(kind, form), jobs=2)
    assert hashes(tmp_path) == hashes(made(kind, form).path)
    assert not temporary(tmp_path)


@pytest.mark.parametrize("form", FORMATS)
def test_the_order_of_shards_does_not_matter(made: Made, tmp_path: Path, form: str) -> None:
    config = ExportConfig.of(**small("ragged", form))
    job = exporter.Job.of(config, tmp_path)
    with begun(job):
        for index in (3, 0):
            exporter.make_shard(job, index)
    export(tmp_path, config)
    assert hashes(tmp_path) == hashes(made("ragged", form).path)


def test_a_worker_does_not_import_what_draws_the_picture() -> None:
    """It takes longer to import than all the rest."""
    code = "import sys, modcog.data.exporter; print(*{'matplotlib', 'torch', 'scipy'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "\n"


@linux
def test_a_process_that_may_not_start_others_works_alone(made: Made, tmp_path: Path) -> None:
    """A worker of a pool, say, is a daemon, which may have no children."""
    settings = small("ragged", jobs=2)
    process = get_context("fork").Process(target=export, args=(tmp_path,), kwargs=settings, daemon=True)
    process.start()
    process.join()
    assert process.exitcode == 0
    assert hashes(tmp_path) == hashes(made("ragged").path)


def test_another_seed_gives_other_trials(made: Made, tmp_path: Path) -> None:
    other = export(tmp_path, **small("ragged", seed=8))
    ours, theirs = hashes(made("ragged").path), hashes(other.path)
    assert not [name for name in ours if name.endswith("observations.npy") and ours[name] == theirs.get(name)]


def test_an_export_of_a_whole_data_set_changes_nothing(tmp_path: Path) -> None:
    export(tmp_path, **small("ragged"))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    export(tmp_path, **small("ragged"))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("lost", ["train/00001", "README.md", "croissant.json", "trials.png", "train/00000/labels.npy"])
def test_what_has_been_lost_is_made_again(made: Made, tmp_path: Path, lost: str) -> None:
    shutil.copytree(made("ragged").path, tmp_path / "x")
    path = tmp_path / "x" / lost
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    kept = tmp_path / "x" / "held-out" / "00000" / "labels.npy"
    before = kept.stat().st_ino, kept.stat().st_mtime_ns
    export(tmp_path / "x", **small("ragged"))
    assert hashes(tmp_path / "x") == hashes(made("ragged").path)
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 8}, "seed is 7 there and 8 here"),
        ({"dt": 50}, "dt is 100.0 there and 50.0 here"),
        ({"format": "parquet"}, 'format is "npy" there and "parquet" here'),
        ({"padded": True}, "padded is false there and true here"),
        ({"tasks": ["go"]}, r"tasks is .*go.* there and \[\"go\"\] here"),
        ({"splits": {"train": 0.6, "held-out": 0.4}}, r"splits is .*0\.5.* there and .*0\.6"),
    ],
)
def test_other_settings_are_refused(made: Made, tmp_path: Path, change: dict[str, Any], named: str) -> None:
    folder = made("ragged").path
    before = hashes(folder)
    with pytest.raises(modcog.ModcogError, match=f"other settings: .*{named}"):
        export(folder, **{**small("ragged"), **change})
    assert hashes(folder) == before


def test_other_settings_are_refused_while_it_is_unfinished(tmp_path: Path) -> None:
    job = exporter.Job.of(ExportConfig.of(**small("ragged")), tmp_path)
    with begun(job):
        exporter.make_shard(job, 0)
        with pytest.raises(modcog.ModcogError, match="another export is writing to"):
            export(tmp_path, **small("ragged"))
    with pytest.raises(modcog.ModcogError, match="seed is 7 there and 9 here"):
        export(tmp_path, **small("ragged", seed=9))
    with pytest.raises(modcog.ModcogError, match=r"unfinished export: it has no manifest\.json; run the same export"):
        load(tmp_path)


def test_another_version_is_refused(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "__version__", "99")
    with pytest.raises(modcog.ModcogError, match=f'version is "{modcog.__version__}" there and "99" here'):
        export(made("ragged").path, **small("ragged"))


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(modcog.ModcogError, match="is not empty and holds no export"):
        export(tmp_path, **small("ragged"))
    assert hashes(tmp_path).keys() == {"thesis.tex"}


@linux
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("bytes_left", [3_000, 20_000])
def test_a_full_disk_ends_in_one_line_and_can_be_finished(
    made: Made, tmp_path: Path, form: str, bytes_left: int
) -> None:
    """The system refuses to write beyond a file's size limit as it refuses to write to a full disk."""
    import resource

    settings = small("ragged", form)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, hard))
    try:
        with pytest.raises(modcog.ModcogError, match=r"cannot write to .*; free some space and run the same export"):
            export(tmp_path, **settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    expected = hashes(made("ragged", form).path)
    left = {name: found for name, found in hashes(tmp_path).items() if not name.startswith(".")}
    assert "manifest.json" not in left
    assert all(expected.get(name) == found for name, found in left.items())
    export(tmp_path, **settings)
    assert hashes(tmp_path) == expected


@pytest.mark.parametrize("shards_before", [0, 2])
def test_a_disk_that_turns_out_full_when_it_is_flushed(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards_before: int
) -> None:
    """File systems that allocate late accept what is written, and refuse it then; the next shard is under way."""
    flush, kept = exporter.flush, set[Path]()

    def refuse(path: Path) -> None:
        shard = path.parent if path.suffix else path
        if shard.name.isdigit() and shard not in kept and len(kept) == shards_before:
            raise OSError(errno.ENOSPC, "")
        kept.update([shard] if shard.name.isdigit() else [])
        flush(path)

    monkeypatch.setattr(exporter, "flush", refuse)
    with pytest.raises(modcog.ModcogError, match="No space left on device; free some space"):
        export(tmp_path, **small("ragged"))
    monkeypatch.undo()
    assert len(list(tmp_path.glob("[!.]*/0*"))) == shards_before
    assert not list(tmp_path.rglob("*.part"))
    export(tmp_path, **small("ragged"))
    assert hashes(tmp_path) == hashes(made("ragged").path)


@linux
@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_matter(made: Made, tmp_path: Path, closed: str) -> None:
    """The workers inherit them too; an export that has done its work must not end with an error."""
    code = f"import modcog.data as d; d.export({str(tmp_path)!r}, jobs=2, progress=None, **{small('ragged')!r})"
    done = subprocess.run(["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code], check=False)
    assert done.returncode == 0
    assert hashes(tmp_path) == hashes(made("ragged").path)


@contextmanager
def somebody_else() -> Iterator[Path]:
    """A folder that this process may read and not write, whoever runs the tests: root gives up its rights."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    try:
        folder.chmod(0o555)
        if root:
            os.seteuid(65534)
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


@linux
def test_an_unwritable_folder() -> None:
    with somebody_else() as folder:
        for out in (folder, folder / "new" / "data"):
            with pytest.raises(modcog.ModcogError, match=f"out: cannot write to {out}: Permission denied"):
                export(out, **small("ragged"))
        assert not list(folder.iterdir())


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    for out in (tmp_path / "x", tmp_path / "x" / "y"):
        with pytest.raises(modcog.ModcogError, match=r"cannot write to .*: (Not a directory|File exists)"):
            export(out, **small("ragged"))


@linux
@pytest.mark.parametrize(("kind", "jobs"), [("padded", 1), ("ragged", 2), ("stream", 1)])
def test_killed_at_a_shard(made: Made, tmp_path: Path, kind: str, jobs: int) -> None:
    """SIGKILL to the exporter once it has finished a shard; many more kills are in tests/benchmarks/kill_export.py."""
    settings = {**small(kind), "out": tmp_path / "x", "jobs": jobs}
    slow = "import modcog.files as m, time; f = m.flush; m.flush = lambda p: (time.sleep(0.05), f(p))"
    process = child(settings, slow if jobs == 1 else "")
    deadline = time.monotonic() + 60
    while not list((tmp_path / "x").glob("[!.]*/0*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    expected = hashes(made(kind).path)
    there = {name: found for name, found in hashes(tmp_path / "x").items() if name not in temporary(tmp_path / "x")}
    assert there
    assert all(expected[name] == found for name, found in there.items())
    whole = [name for name in there if "/" in name]
    before = {name: (tmp_path / "x" / name).stat().st_ino for name in whole}
    export(**settings)
    assert hashes(tmp_path / "x") == expected
    assert {name: (tmp_path / "x" / name).stat().st_ino for name in whole} == before


@linux
def test_a_killed_worker_is_reported(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "make_shard", kill_this_process)
    with pytest.raises(modcog.ModcogError, match=r"a worker process was killed, .* run the same export again"):
        export(tmp_path, **small("ragged"), jobs=2)
    monkeypatch.undo()
    export(tmp_path, **small("ragged"))
    assert hashes(tmp_path) == hashes(made("ragged").path)


def kill_this_process(*_: object) -> None:
    """A worker that the system kills."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_with_another_version_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = exporter.Job.of(ExportConfig.of(**small("ragged")), tmp_path)
    with begun(job):
        monkeypatch.setattr(manifest, "__version__", "99")
        with pytest.raises(modcog.ModcogError, match="a worker has other versions: version"):
            exporter.make_shard(job, 0)


@linux
def test_a_worker_of_a_dask_cluster_is_killed_midway(tmp_path: Path) -> None:
    """A real cluster of separate processes; its scheduler gives the lost shards to the other worker."""
    from distributed import LocalCluster

    settings = small("ragged", tasks="modcog82", trials_per_task=40, shard_mb=0.3)
    reference = export(tmp_path / "alone", **settings)
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        victims = [worker.pid for worker in cluster.workers.values()]
        assert os.getpid() not in victims
        killed: list[int] = []

        class Bar(exporter.ProgressBar):
            """Kills a worker when the first shard is ready."""

            def advance(self, n: int = 1, **stats: Any) -> None:
                if not killed:
                    os.kill(victims[0], signal.SIGKILL)
                    killed.append(self._count)
                super().advance(n, **stats)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(exporter, "ProgressBar", Bar)
            data = export(tmp_path / "cluster", **settings, dask=cluster.scheduler_address)
        assert killed == [0]
        assert victims[0] not in [worker.pid for worker in cluster.workers.values()]
    assert sum(split.n_shards for split in data.values()) > 8
    assert hashes(data.path) == hashes(reference.path)


def test_no_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modcog.processes.DASK_TIMEOUT", "0.2s")
    with pytest.raises(modcog.ModcogError, match=r"dask: cannot reach a scheduler at 'tcp://127\.0\.0\.1:9'"):
        export(tmp_path, **small("ragged"), dask="tcp://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(modcog.ModcogError, match=r"a dask cluster needs the package distributed: .*\[dask\]"):
        export(tmp_path, **small("ragged"), dask="tcp://127.0.0.1:9")


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_wrong_jobs(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(modcog.ModcogError, match=r"jobs: got .*, must be a whole number, at least 1"):
        export(tmp_path / "x", **small("ragged"), jobs=wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


def test_config_or_settings(tmp_path: Path) -> None:
    with pytest.raises(modcog.ModcogError, match="either config or single settings"):
        export(tmp_path, ExportConfig.of(tasks=["go"]), seed=1)


@linux
def test_memory_stays_flat(tmp_path: Path) -> None:
    """Four times the data, the same peak: a shard is what is held at a time."""
    code = (
        "import re, sys, modcog.data\n"
        "modcog.data.export(sys.argv[1], tasks='modcog132', trials_per_task=int(sys.argv[2]), shard_mb=4)\n"
        "print(int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) // 1024)"  # not of its parent
    )
    peaks = []
    for amount in ("50", "200"):
        command = [sys.executable, "-c", code, str(tmp_path / amount), amount]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert peaks[1] < peaks[0] + 15
    assert peaks[1] < 500
    assert verify(tmp_path / "200").ok


def test_what_a_lost_worker_left_is_removed(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of a cluster that is killed while the export goes on leaves a shard half-written."""
    make_shard = exporter.make_shard

    def leave_something(job: exporter.Job, index: int) -> Any:
        (job.out / "train").mkdir(exist_ok=True)
        (job.out / "train" / f".0000{index}.0123.part").write_text("half")
        return make_shard(job, index)

    monkeypatch.setattr(exporter, "make_shard", leave_something)
    export(tmp_path, **small("ragged"))
    assert hashes(tmp_path) == hashes(made("ragged").path)


def test_a_worker_waits_for_one_that_a_killed_export_has_left_at_the_same_shard(made: Made, tmp_path: Path) -> None:
    """And takes over what that one has made."""
    job = exporter.Job.of(ExportConfig.of(**small("ragged")), tmp_path)
    with begun(job):
        orphan = Thread(target=exporter.make_shard, args=(job, 0))
        with files.locked(job.inside("00000.lock"), ""):
            orphan.start()
            orphan.join(0.3)
            assert orphan.is_alive()
            _, entry = exporter.make_shard(replace(job), 1)
        orphan.join()
    stat = (tmp_path / "train" / "00000").stat()
    export(tmp_path, **small("ragged"))
    assert (tmp_path / "train" / "00000").stat().st_ino == stat.st_ino
    assert hashes(tmp_path) == hashes(made("ragged").path)
    assert entry.path == "train/00001"


def test_exports_that_start_together(made: Made, tmp_path: Path) -> None:
    """One writes; every other says so in one line, or finds the data set finished. Never anything else."""
    expected, said = hashes(made("ragged").path), []
    for attempt in range(2):
        settings = {**small("ragged"), "out": tmp_path / str(attempt)}
        ready = "print('ready', flush=True); sys.stdin.readline()"
        processes = [child(settings, ready) for _ in range(3)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        errors = [process.communicate()[1] for process in processes]
        said += [error.splitlines()[-1] for error in errors if error]
        assert 0 in [process.returncode for process in processes]
        assert hashes(settings["out"]) == expected
    assert set(said) <= {
        f"modcog.errors.ModcogError: out: another export is writing to {tmp_path / str(attempt)}"
        for attempt in range(2)
    }


def test_an_export_that_finds_the_folder_of_the_lock_removed_makes_it_again(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the export that was writing finishes at that moment."""
    locked, removed = exporter.locked, []

    def remove_first(path: Path, *more: Any) -> Any:
        if not removed:
            removed.append(path)
            shutil.rmtree(path.parent)
        return locked(path, *more)

    monkeypatch.setattr(exporter, "locked", remove_first)
    export(tmp_path, **small("ragged"))
    assert hashes(tmp_path) == hashes(made("ragged").path)


def test_an_export_that_finishes_while_another_looks(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the manifest and the settings: whoever reads them in that order finds neither."""
    job = exporter.Job.of(ExportConfig.of(**small("ragged")), tmp_path)
    with begun(job):
        exporter.make_shard(job, 0)
    inside = exporter.Job.inside

    def finish(job: exporter.Job, name: str | int) -> Path:
        monkeypatch.undo()
        export(tmp_path, **small("ragged"))
        return inside(job, name)

    monkeypatch.setattr(exporter.Job, "inside", finish)
    export(tmp_path, **small("ragged"))
    assert hashes(tmp_path) == hashes(made("ragged").path)


def test_a_shard_that_lost_its_content_with_the_power_is_made_again(made: Made, tmp_path: Path) -> None:
    """It has its name and its length, but what was never on the disk reads as zeros."""
    job = exporter.Job.of(ExportConfig.of(**small("ragged")), tmp_path)
    with begun(job):
        exporter.make_shard(job, 0)
        exporter.make_shard(job, 1)
    lost, kept = (tmp_path / "train" / f"0000{index}" / "observations.npy" for index in (0, 1))
    lost.write_bytes(bytes(lost.stat().st_size))
    before = kept.stat().st_ino
    export(tmp_path, **small("ragged"))
    assert hashes(tmp_path) == hashes(made("ragged").path)
    assert kept.stat().st_ino == before


def test_the_first_trials_are_the_same_however_many_are_exported(tmp_path: Path) -> None:
    few, many = (
        export(tmp_path / str(n), tasks=["dm1", "dms"], trials_per_task=n, splits={"train": 1.0})["train"][:]
        for n in (30, 80)
    )
    for i in range(60):
        assert few[i].packed_observations.tobytes() == many[i].packed_observations.tobytes()
