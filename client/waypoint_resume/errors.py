"""The errors that a job can meet, and the disk's own errors told as one of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path


class ResumeError(RuntimeError):
    """The job cannot go on as it was told to; the text says why and what to do. Nothing was loaded."""


class RunIsBusy(ResumeError):  # noqa: N818 - the name that the contract gives it
    """Another job works in this run: its lease is younger than two minutes."""


class MismatchError(ResumeError):
    """Checkpoint and model differ; `differences` holds each one: layers that are trained now and were not, another
    optimizer, missing, unexpected, shape, dtype, slot. `more` says what else there is to know, and to do.
    """

    def __init__(self, name: str, differences: Sequence[str], more: Sequence[str] = ()) -> None:
        self.name, self.differences, self.more = name, tuple(differences), tuple(more)
        lines = [f"{name} does not fit the model; nothing was loaded:", *differences, *more]
        super().__init__("\n  ".join(lines))


@contextlib.contextmanager
def os_errors_as_resume_errors(run: Path) -> Iterator[None]:
    """The disk's errors (full, read-only, a folder in a file's place) as ResumeError."""
    try:
        yield
    except OSError as error:
        raise ResumeError(f"{error.filename or run}: {error.strerror or error}. Nothing was loaded.") from error
