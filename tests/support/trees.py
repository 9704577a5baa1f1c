"""Folders of whole and damaged checkpoints with chosen times, for the tests of scan, index, catalog and shell."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.base.ages import Ages
from core.base.facts import Facts, Format, Sourced
from core.base.files import FileStat
from core.base.records import Checkpoint, Health, SavedAtSource
from core.catalog.rows import to_us
from core.health.run_facts import RunFacts
from core.indexing.options import Options, Progress
from core.runs.series import arrange
from tests.support.builders import bundle, trained
from waypoint_resume.file_names import read_name

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
MINUTE_NS = 60 * 1_000_000_000
START_NS = int(START.timestamp()) * 1_000_000_000


def write(root: Path, files: Mapping[str, bytes], at_ns: int = START_NS) -> None:
    """Files by path below a folder, all of one time."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(at_ns, at_ns))


def save(folder: Path, step: int, *, name: str | None = None, at_ns: int | None = None, shards: int = 1) -> Path:
    """A bundle `ckpt-STEP` of that step, by default saved STEP minutes after the start; returns its prefix."""
    prefix = name or f"ckpt-{step}"
    write(folder, bundle(trained(step), prefix, shards=shards), START_NS + step * MINUTE_NS if at_ns is None else at_ns)
    return folder / prefix


def index_of(prefix: Path) -> Path:
    """The index of a prefix."""
    return prefix.with_name(f"{prefix.name}.index")


def shard_of(prefix: Path) -> Path:
    """The only data shard of a prefix."""
    return prefix.with_name(f"{prefix.name}.data-00000-of-00001")


def flip(prefix: Path) -> None:
    """Change a byte of a bundle's first tensor and nothing that a listing shows."""
    shard = shard_of(prefix)
    stat, data = shard.stat(), shard.read_bytes()
    shard.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(shard, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def state(folder: Path, latest: str, *history: str, times: tuple[float, ...] = (), at_ns: int = START_NS) -> Path:
    """A state file that names some prefixes."""
    lines = [f'model_checkpoint_path: "{latest}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in history or (latest,)]
    lines += [f"all_model_checkpoint_timestamps: {time}" for time in times]
    write(folder, {"checkpoint": "\n".join(lines).encode()}, at_ns)
    return folder / "checkpoint"


def age(root: Path, at_ns: int = START_NS) -> None:
    """Give every folder a time long ago, so that a light pass finds nothing young; files keep theirs."""
    for folder, _, _ in os.walk(root):
        os.utime(folder, ns=(at_ns, at_ns))


def options(*, deep: bool = True, pattern: tuple[str, ...] = (), grace: float = 60.0) -> Options:
    """A pass with the default settings."""
    return Options(
        run_pattern=pattern, write_grace=grace, ages=Ages(live_window=3600, stale_after=1_209_600), deep=deep
    )


def counts(progress: Progress) -> tuple[int, int]:
    """What a pass parsed and reused."""
    return progress.parsed, progress.reused


def a_member(
    name: str = "ckpt-1",
    *,
    step: int | None = None,
    minute: float | None = None,
    restorable: bool = True,
    health: Health | None = None,
    folder: str = "run/ckpts",
    form: Format = Format.TF_BUNDLE,
    fingerprint: str | None = "9f86d081",
    source: SavedAtSource = SavedAtSource.MTIME,
) -> Checkpoint:
    """A checkpoint as a pass knows it before its series is arranged, saved some minutes after the start."""
    moment = START + timedelta(minutes=minute if minute is not None else step or 0)
    file = FileStat(name=f"{name}.index", size=10, mtime_ns=int(moment.timestamp() * 1000) * 1_000_000)
    return Checkpoint(
        root="r00t",
        run=folder.partition("/")[0],
        path=f"{folder}/{name}",
        folder=folder,
        format=form,
        files=(file,),
        saved_at=moment,
        saved_at_source=source,
        bytes=10,
        facts=Facts(
            step=None if step is None else Sourced(value=step, source="optimizer/_iterations"), fingerprint=fingerprint
        ),
        restorable=restorable,
        health=health or (Health.OK if restorable else Health.ERROR),
        stem=read_name(name).stem,
    )


def run_facts(members: Sequence[Checkpoint], *, now: datetime = START, **more: Any) -> RunFacts:  # noqa: ANN401
    """A run of some checkpoints as rules see it; stale after 14 days."""
    known: dict[str, Any] = {"run": "run", "root_path": "/data", "states": (), "leftovers": (), "existing": ()}
    known |= {"changed": None, "stale_after": timedelta(days=14)}
    return RunFacts(series=arrange(members), now=now, **(known | more))


def a_run_row(path: str, **fields: object) -> dict[str, object]:
    """A run's row: by default changed at the start, live for an hour, stale after 14 days."""
    known: dict[str, object] = dict.fromkeys(
        ("checkpoints", "restorable", "series", "bytes", "leftover_bytes", "errors", "warnings", "infos", "accepted"), 0
    )
    known |= {"newest_step": None, "last_saved_us": None, "changed_us": to_us(START), "median_interval": None}
    known |= {"decided": "", "outside": "", "turns_us": None}
    known |= {"live_until_us": to_us(START) + 3_600_000_000, "stale_from_us": to_us(START) + 14 * 86_400_000_000}
    return {"root": "r00t", "path": path, **known, **fields}
