"""Rows as records, and the values of both. JSON holds what nobody filters or sorts by."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, fields
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from core.base.facts import Contents, Facts, Format, ReadProblem, RoleBytes, Shard, Sourced
from core.base.files import FileStat
from core.base.records import Checkpoint, Finding, Health, Leftover, Run, SavedAtSource, Severity, StateFile
from core.catalog.tables import runs
from waypoint_resume.names import from_text, to_text

# Made once, for json.dumps makes one each time. ASCII, for text out of a damaged file may be such as no database takes.
encode = json.JSONEncoder(separators=(",", ":")).encode
_LARGEST = (1 << 63) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RUN_AS_KEPT = tuple(item.name for item in fields(Run) if item.name in runs.c and item.name not in ("path", "tags"))


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(value: int) -> datetime:
    """An aware UTC datetime from microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=value)


def run_id(root: str, path: str) -> int:
    """The number by which the tables of what is known of runs name one: the same whenever the run is there.

    63 bits of a digest: two of a million runs have the same in one of ten million catalogs.
    """
    name = f"{root}\0{to_text(path)}".encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big") >> 1


def bounded(value: int | None) -> int | None:
    """A number as a database can hold it: what a hostile file counts beyond 64 bits is cut there."""
    return value if value is None or -_LARGEST <= value <= _LARGEST else (_LARGEST if value > 0 else -_LARGEST)


def files_to_json(files: Iterable[FileStat]) -> list[list[object]]:
    """Files as arrays, in FileStat's field order, names as text."""
    return [[to_text(file.name), *file[1:]] for file in files]


def files_from_json(value: Iterable[list[Any]]) -> tuple[FileStat, ...]:
    """The inverse of `files_to_json`."""
    return tuple(FileStat(from_text(item[0]), *item[1:]) for item in value)


def _facts_from_json(contents: str, value: list[Any]) -> Facts:
    (reason, has_optimizer, has_architecture, step, step_reason, epoch, save_counter, saved_at, variables) = value[:9]
    (parameters, role_bytes, fingerprint, shards, committed, problem, mismatch, writer, packed) = value[9:]
    return Facts(
        contents=Contents(contents),
        contents_reason=reason,
        has_optimizer=has_optimizer,
        has_architecture=has_architecture,
        step=None if step is None else Sourced(*step),
        step_reason=step_reason,
        epoch=None if epoch is None else Sourced(*epoch),
        save_counter=None if save_counter is None else Sourced(*save_counter),
        saved_at=None if saved_at is None else from_us(saved_at),
        variables=variables,
        parameters=parameters,
        role_bytes=RoleBytes(*role_bytes),
        fingerprint=fingerprint,
        shards=tuple(Shard(number, from_text(name), *lengths) for number, name, *lengths in shards),
        committed=committed,
        problem=None
        if problem is None
        else ReadProblem(kind=problem[0], file=from_text(problem[1]), detail=problem[2]),
        mismatch=mismatch,
        writer=writer,
        packed=tuple((from_text(name), from_text(file)) for name, file in packed),
    )


def checkpoint_from_row(row: Mapping[str, Any], findings: Iterable[Finding] = ()) -> Checkpoint:
    """The inverse of `checkpoint_to_row`."""
    detail = json.loads(row["detail"])
    metric = detail.get("metric")
    return Checkpoint(
        id=row["id"],
        root=row["root"],
        run=from_text(row["run"]),
        path=from_text(row["path"]),
        folder=from_text(row["folder"]),
        series=row["series"],
        stem=from_text(row["stem"]),
        format=Format(row["format"]),
        files=files_from_json(detail["files"]),
        saved_at=from_us(row["saved_at_us"]),
        saved_at_source=SavedAtSource(row["saved_at_source"]),
        bytes=row["bytes"],
        facts=_facts_from_json(row["contents"], detail["facts"]),
        findings=tuple(findings),
        restorable=row["restorable"],
        health=Health(row["health"]),
        series_order=row["series_order"],
        attempt=row["attempt"],
        is_latest=row["is_latest"],
        is_latest_restorable=row["is_latest_restorable"],
        read_by=row["read_by"],
        metric=None if metric is None else (metric[0], metric[1]),
    )


def folder_of(path: str, run: str) -> str:
    """The folder in which a finding counts: the one that what it is about lies in; for a run itself, the run."""
    return run if path == run else path.rpartition("/")[0] or "."


def finding_from_row(row: Mapping[str, Any]) -> Finding:
    """The inverse of `finding_to_row`, without root and run."""
    return Finding(
        path=from_text(row["path"]),
        rule=row["rule"],
        severity=Severity(row["severity"]),
        reason=row["reason"],
        action=row["action"],
        accepted=row["accepted"],
    )


def states_to_json(states: Iterable[StateFile]) -> str:
    """State files as JSON, in StateFile's field order."""
    return json.dumps([[to_text(v) if isinstance(v, str) else v for v in astuple(s)] for s in states])


def states_from_json(text: str) -> tuple[StateFile, ...]:
    """The inverse of `states_to_json`. Paths inside a state file are text, not names: they are kept as they are."""
    return tuple(
        StateFile(
            path=from_text(v[0]),
            latest=None if v[1] is None else from_text(v[1]),
            history=tuple(v[2]),
            times=tuple(v[3]),
            error=None if v[4] is None else from_text(v[4]),
            unreadable=None if v[5] is None else from_text(v[5]),
            mtime_ns=v[6],
            writing=any(v[7:]),
        )
        for v in json.loads(text)
    )


def leftovers_to_json(leftovers: Iterable[Leftover]) -> str:
    """Leftovers as JSON."""
    return json.dumps([[to_text(v.path), v.rule, files_to_json(v.files), v.reason, v.writing] for v in leftovers])


def leftovers_from_json(text: str) -> tuple[Leftover, ...]:
    """The inverse of `leftovers_to_json`."""
    return tuple(
        Leftover(path=from_text(v[0]), rule=v[1], files=files_from_json(v[2]), reason=v[3], writing=v[4])
        for v in json.loads(text)
    )


def run_from_row(row: Mapping[str, Any], now: datetime, states: tuple[StateFile, ...] = ()) -> Run:
    """A row of `runs`; `now` decides its status."""
    now_us = to_us(now)
    aged = "stale" if row["stale_from_us"] <= now_us else "idle"
    status = "live" if row["live_until_us"] >= now_us else aged
    return Run(
        **{name: row[name] for name in _RUN_AS_KEPT},
        path=from_text(row["path"]),
        status=status,
        last_saved=None if row["last_saved_us"] is None else from_us(row["last_saved_us"]),
        changed_at=None if row["changed_us"] is None else from_us(row["changed_us"]),
        states=states,
        tags=tuple(json.loads(row["tags"])) if row["tags"] else (),
    )
