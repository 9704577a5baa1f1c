"""What every command does first: settings, the catalog, a refresh with progress on stderr; and how errors leave."""

import contextlib
import json
import os
import posixpath
import sqlite3
import sys
from collections.abc import Iterator
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn
from sqlalchemy.exc import DBAPIError

from core.base.errors import (
    AmbiguousError,
    CatalogFullError,
    CoreError,
    NotFoundError,
    NotRestorableError,
    SettingsError,
)
from core.base.records import IndexReport
from core.services import passed_over
from core.services.resume import ConfirmError, ModeError
from core.services.searching import SearchError
from core.services.workspace import METRICS_SECONDS, REREAD_SECONDS, Progress, Workspace, load, problem_texts
from waypoint_resume.names import to_text

FAILED, WRONG_USE, NOTHING_RESTORABLE = 1, 2, 3

# Not wrapped for a pipe: whoever reads it has no width.
stdout = Console(soft_wrap=True) if sys.stdout.isatty() else Console(soft_wrap=True, width=100_000)
stderr = Console(stderr=True, soft_wrap=True)


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """A line for people, on stderr; never markup."""
    stderr.print(text, markup=False, highlight=False)


@contextlib.contextmanager
def leaving() -> Iterator[None]:
    """Errors become a sentence on stderr and the exit code that docs/cli.md tells."""
    try:
        yield
    except SearchError as error:
        _leave(error, WRONG_USE, f"{error}\n{error.pointed()}")
    except (SettingsError, NotFoundError, AmbiguousError, ModeError, ConfirmError) as error:
        _leave(error, WRONG_USE)
    except NotRestorableError as error:
        _leave(error, NOTHING_RESTORABLE)
    except CoreError as error:
        _leave(error, FAILED)
    except OSError as error:
        place = f"{to_text(os.fsdecode(error.filename))}: " if error.filename else ""
        _leave(error, FAILED, f"{place}{error.strerror or error}")
    except DBAPIError as error:
        home = "the catalog is a cache, so its files in WAYPOINT_HOME may be deleted"
        _leave(error, FAILED, f"The catalog cannot be used: {error.orig}. Is its disk full? If it is damaged: {home}.")


def _leave(error: Exception, code: int, text: str = "") -> NoReturn:
    say(text or str(error))
    raise typer.Exit(code) from error


@contextlib.contextmanager
def opened(roots: list[str] | None, *, keeps: bool = False) -> Iterator[Workspace]:
    """The workspace over the configured roots, or over those of the command line. On a full disk a copy in memory,
    unless the catalog itself is what is wanted (`keeps`).
    """
    settings = load(roots_override=roots or None)
    try:
        workspace = Workspace.open(settings)
    except CatalogFullError as error:
        if keeps:
            raise
        with _telling_in_memory(error):
            workspace = Workspace.open_in_memory(settings)
    try:
        yield workspace
    finally:
        workspace.close()


@contextlib.contextmanager
def _telling_in_memory(error: CatalogFullError) -> Iterator[None]:
    """Say that nothing of the catalog is kept; the error itself where its file cannot be copied."""
    try:
        yield
    except (sqlite3.Error, DBAPIError) as unreadable:
        raise error from unreadable
    say(f"{error} Until then commands work on a copy in memory, which is not kept.")


def say_passed_over(workspace: Workspace) -> None:
    """Say once for each root what the last look at it passed over."""
    for passed in passed_over.look_up(workspace.engine, workspace.reader.roots()):
        for text in passed_over.sentences(passed):
            say(text)


def refreshed(workspace: Workspace, purpose: str, *, cached: bool, all_metrics: bool = False) -> int:
    """Look at the disk unless told not to; problems go to stderr. `all_metrics`: what runs logged is read however long
    that takes. Returns the exit code so far.
    """
    if cached:
        return 0
    return report_problems(
        refresh_anywhere(workspace, purpose, metrics_seconds=None if all_metrics else METRICS_SECONDS)
    )


@contextlib.contextmanager
def looked_at(
    roots: list[str] | None, purpose: str, *, cached: bool, all_metrics: bool = False
) -> Iterator[tuple[Workspace, int]]:
    """The workspace as `refreshed` leaves it, with the exit code so far; errors leave as `leaving` says."""
    with leaving(), opened(roots) as workspace:
        yield workspace, refreshed(workspace, purpose, cached=cached, all_metrics=all_metrics)


def refresh_anywhere(
    workspace: Workspace, purpose: str, *, deep: bool = True, metrics_seconds: float | None = METRICS_SECONDS
) -> IndexReport:
    """One pass over the roots, as `refresh`; on a full disk in a copy of the catalog in memory."""
    try:
        return refresh(workspace, purpose, deep=deep, metrics_seconds=metrics_seconds)
    except CatalogFullError as error:
        with _telling_in_memory(error):
            workspace.go_on_in_memory()
        return refresh(workspace, purpose, deep=deep, metrics_seconds=metrics_seconds)


def refresh(
    workspace: Workspace,
    purpose: str,
    *,
    deep: bool = True,
    reread_seconds: float | None = REREAD_SECONDS,
    metrics_seconds: float | None = METRICS_SECONDS,
) -> IndexReport:
    """One pass over the roots, with progress on stderr where that is a terminal."""
    columns = SpinnerColumn(), TextColumn("{task.description}")
    with Bar(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task("looking …")

        def watch(root: str, progress: Progress) -> None:
            name = to_text(posixpath.basename(root)).replace("[", r"\[")
            bar.update(
                task, description=f"{name}: {progress.folders:,} folders, {progress.checkpoints:,} checkpoints read"
            )

        return workspace.refresh(
            purpose, deep=deep, reread_seconds=reread_seconds, metrics_seconds=metrics_seconds, watch=watch
        )


def report_problems(report: IndexReport) -> int:
    """Say what could not be looked at; the exit code is 1 where that is a whole root."""
    for root, problem in problem_texts(report):
        say(problem.problem if not problem.path else f"{to_text(root)}: {problem.path}: {problem.problem}")
    return FAILED if any(root.problem for root in report.roots) else 0
