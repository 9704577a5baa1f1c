"""Runs on disk with a checkpoint each, as the catalog would describe them, for the tests of the resume manifest."""

import os
from datetime import UTC, datetime
from pathlib import Path

from core.base.facts import Contents, Facts, Format, Sourced
from core.base.files import FileStat
from core.base.records import Checkpoint, Root, Run, SavedAtSource
from core.runfolder.run_folder import RunFolder

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def a_checkpoint(number: int = 7, *, folder: str = "exp/a/ckpts", run: str = "exp/a", **facts: object) -> Checkpoint:
    """A whole bundle with its optimizer, of the step 100 × number; its files exist only in name."""
    name = f"ckpt-{number}"
    known: dict[str, object] = {
        "contents": Contents.WEIGHTS_AND_OPTIMIZER,
        "has_optimizer": True,
        "step": Sourced(value=100 * number, source="optimizer/_iterations"),
        "epoch": Sourced(value=number, source="the epoch in the name"),
        "fingerprint": "9f86d081",
    }
    files = (
        FileStat(name=f"{name}.index", size=5, mtime_ns=1),
        FileStat(name=f"{name}.data-00000-of-00001", size=9, mtime_ns=1),
    )
    return Checkpoint(
        root="r00t",
        run=run,
        path=f"{folder}/{name}" if folder else name,
        folder=folder,
        format=Format.TF_BUNDLE,
        files=files,
        saved_at=NOW.replace(hour=number % 24),
        saved_at_source=SavedAtSource.MTIME,
        bytes=14,
        facts=Facts(**(known | facts)),  # type: ignore[arg-type]
        restorable=True,
        series="5e71e5",
    )


def a_run(status: str = "idle", path: str = "exp/a") -> Run:
    """A run's roll-up."""
    return Run(
        root="r00t",
        path=path,
        status=status,
        checkpoints=1,
        restorable=1,
        series=1,
        bytes=14,
        newest_step=700,
        last_saved=NOW,
        changed_at=NOW,
        median_interval=None,
        errors=0,
        warnings=0,
        infos=0,
    )


def on_disk(root: Path, checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with its files written (each byte the file's number) and looked at."""
    folder = root / checkpoint.folder
    folder.mkdir(parents=True, exist_ok=True)
    seen = []
    for number, file in enumerate(checkpoint.files):
        (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.name).write_bytes(bytes([number]) * file.size)
        found = os.stat(folder / file.name)
        seen.append(FileStat(name=file.name, size=found.st_size, mtime_ns=found.st_mtime_ns))
    return checkpoint._replace(files=tuple(seen))


def run_folder_of(root: Path, checkpoint: Checkpoint, decisions_dir: Path | None = None) -> RunFolder:
    """Where a checkpoint's run lies."""
    return RunFolder.of(Root(id=checkpoint.root, path=str(root)), checkpoint.run, decisions_dir)
