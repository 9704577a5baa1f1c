"""What a verification found, as frozen records, and the documents that keep them: JSON-able, and back again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.base.files import FileStat

LISTED = 1_000  # problems, and tensors that cannot be verified, that are kept by name; all are counted


class Outcome(StrEnum):
    """How a verification ended. Not told: nothing here verifies the format, or reading it would cost too much."""

    VERIFIED = "verified"
    DAMAGED = "damaged"
    CHANGED = "changed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    NOT_TOLD = "not told"


class BadRule(StrEnum):
    """What may be wrong with a stored value; the rules of `core.health` bear the same names."""

    MISMATCH = "checksum-mismatch"
    NON_FINITE = "non-finite"
    INFINITE = "infinite"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorProblem:
    """One stored value that did not pass: `detail` is a sentence, `count` how many numbers are NaN or infinite."""

    rule: BadRule
    name: str
    detail: str
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreAnswer:
    """What the library that restores this format said: it read `tensors` values; `detail` is a sentence."""

    ok: bool
    library: str
    tensors: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One checkpoint's result. `tensors` and `bytes` are what was read to the end; `problem_count` and
    `unverifiable_count` also count what is not listed; `files` are those it was made for; `unverifiable` are
    (name, why).
    """

    outcome: Outcome
    detail: str
    tensors: int = 0
    bytes: int = 0
    seconds: float = 0.0
    problems: tuple[TensorProblem, ...] = ()
    problem_count: int = 0
    unverifiable: tuple[tuple[str, str], ...] = ()
    unverifiable_count: int = 0
    files: tuple[FileStat, ...] = ()
    finished_at: datetime
    restore: RestoreAnswer | None = None

    @property
    def passed(self) -> bool:
        """Verified, and restored where that was asked for."""
        is_restored = self.restore is None or (self.restore.ok and self.restore.tensors > 0)
        return self.outcome is Outcome.VERIFIED and self.tensors > 0 and is_restored

    def holds_for(self, files: Iterable[FileStat]) -> bool:
        """Whether these are still the files that the result was made for."""
        return identity(files) == identity(self.files)


def identity(files: Iterable[FileStat]) -> frozenset[tuple[str, int, int, int]]:
    """What tells files from others: name, size, mtime in ns, inode."""
    return frozenset(file.identity for file in files)


def to_document(result: Verification) -> dict[str, Any]:
    """A result as JSON-able values. File names may hold surrogate escapes, which `json` writes as escapes."""
    answer = result.restore
    return {
        "outcome": result.outcome.value,
        "detail": result.detail,
        "tensors": result.tensors,
        "bytes": result.bytes,
        "seconds": result.seconds,
        "problems": [[item.rule.value, item.name, item.detail, item.count] for item in result.problems],
        "problem_count": result.problem_count,
        "unverifiable": [list(item) for item in result.unverifiable],
        "unverifiable_count": result.unverifiable_count,
        "files": [list(file) for file in result.files],
        "finished_at": result.finished_at.isoformat(),
        "restore": None if answer is None else [answer.ok, answer.library, answer.tensors, answer.detail],
    }


def from_document(document: Mapping[str, Any]) -> Verification:
    """The result that `to_document` made this from. KeyError, TypeError or ValueError for anything else."""
    return Verification(
        outcome=Outcome(document["outcome"]),
        detail=str(document["detail"]),
        tensors=int(document["tensors"]),
        bytes=int(document["bytes"]),
        seconds=float(document["seconds"]),
        problems=problems_of(document["problems"]),
        problem_count=int(document["problem_count"]),
        unverifiable=tuple((str(name), str(why)) for name, why in document["unverifiable"]),
        unverifiable_count=int(document["unverifiable_count"]),
        files=tuple(FileStat(*file) for file in document["files"]),
        finished_at=datetime.fromisoformat(document["finished_at"]),
        restore=None if document["restore"] is None else restore_of(document["restore"]),
    )


def problems_of(rows: Iterable[Any]) -> tuple[TensorProblem, ...]:
    """Problems from [rule, name, detail, count] each."""
    return tuple(
        TensorProblem(rule=BadRule(rule), name=str(name), detail=str(detail), count=int(count))
        for rule, name, detail, count in rows
    )


def restore_of(row: Iterable[Any]) -> RestoreAnswer:
    """An answer from [ok, library, tensors, detail]."""
    ok, library, tensors, detail = row
    return RestoreAnswer(ok=bool(ok), library=str(library), tensors=int(tensors), detail=str(detail))
