"""CSVLogger's files: the rows of epochs that are trained again, cut off and put back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from waypoint_resume.names import from_text, to_text

_ENDINGS = (".csv", ".tsv", ".log", ".txt")
_SEPARATORS = frozenset({b",", b";", b"\t", b"|"})
_LONGEST = 64 << 20  # bytes


def superseded_rows(
    run: Path, here: Path, names: list[str], epoch: int, *, is_last_alone: bool = False
) -> Iterator[dict[str, Any]]:
    """For each file of a folder that has such rows: path in the run, offset of the first, all from there on (`tail`),
    what of that `stays`, and how many rows go. `is_last_alone`: epochs begin anew in the file, and only what came
    after the last beginning is looked at.
    """
    for name in names:
        path = here / name
        if not name.endswith(_ENDINGS) or path.is_symlink() or not path.is_file():
            continue
        if path.stat().st_size > _LONGEST:
            continue
        found = _superseded(path.read_bytes(), epoch, is_last_alone=is_last_alone)
        if found is not None:
            offset, tail, stays, rows = found
            texts = {"tail": _text(tail), "stays": _text(stays)}
            yield {"path": to_text(path.relative_to(run).as_posix()), "offset": offset, "rows": rows, **texts}


def _superseded(data: bytes, epoch: int, *, is_last_alone: bool) -> tuple[int, bytes, bytes, int] | None:
    """Where the first superseded row begins, all from there on, what of that stays, and how many rows go; None for a
    file that is not CSVLogger's (its first column is `epoch`), or without such rows.
    """
    lines = data.splitlines(keepends=True)
    if not lines or not lines[0].startswith(b"epoch") or lines[0][5:6] not in _SEPARATORS:
        return None
    offset, first, rows, former = len(lines[0]), None, 0, -1
    stays: list[bytes] = []
    for line in lines[1:]:
        number = line.split(lines[0][5:6], 1)[0].strip()
        if line.strip() and not number.isdigit():
            return None
        if is_last_alone and number and int(number) <= former:
            first, rows, stays = None, 0, []
        former = int(number) if number else former
        goes = bool(number) and int(number) >= epoch
        rows += goes
        if goes and first is None:
            first = offset
        if first is not None and not goes:
            stays.append(line)
        offset += len(line)
    return None if first is None else (first, data[first:], b"".join(stays), rows)


def cut_rows(run: Path, table: dict[str, Any]) -> None:
    """Cut the rows off, in place, for a CSVLogger may have the file open for appending. OSError."""
    _write_tail(run / from_text(table["path"]), table["offset"], _bytes(table["stays"]))


def restore_rows(run: Path, table: dict[str, Any], cut: str) -> list[str]:
    """Put the rows back; where something was logged since, into a file beside it, which is said. OSError."""
    path, tail, stays = run / from_text(table["path"]), _bytes(table["tail"]), _bytes(table["stays"])
    data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    if data[table["offset"] :] == stays and len(data) == table["offset"] + len(stays):
        _write_tail(path, table["offset"], tail)
        return []
    beside = path.with_name(f"{path.stem}-superseded-{cut[-8:]}{path.suffix}")
    if not beside.exists():
        head = data.splitlines(keepends=True)[:1]
        beside.write_bytes(b"".join(head) + tail)
    return [f"{table['path']} was written since: the rows that were set aside are in {beside.name} beside it."]


def _write_tail(path: Path, offset: int, tail: bytes) -> None:
    with path.open("r+b") as file:
        file.truncate(offset)
        file.seek(offset)
        file.write(tail)
        file.flush()
        os.fsync(file.fileno())


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
