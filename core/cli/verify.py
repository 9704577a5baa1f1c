"""The command that reads checkpoints to their last byte."""

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from core.base.errors import NotFoundError, NotRestorableError
from core.base.records import Checkpoint
from core.cli.session import (
    FAILED,
    AsJson,
    Cached,
    Roots,
    leaving,
    opened,
    print_json,
    refresh_anywhere,
    refreshed,
    say,
    stderr,
    stdout,
)
from core.services.findings import keep_verification
from core.services.workspace import Workspace
from core.verify.results import Outcome, Verification
from core.verify.run import Progress, verify
from waypoint_resume.names import from_text, to_text


def verify_command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="PATH|RUN", help="A checkpoint, or a run: relative to a root, or an absolute path inside one."
        ),
    ],
    restore: Annotated[
        bool, typer.Option("--restore", help="Let the library that restores it read every value as well.")
    ] = False,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """Read every byte of a checkpoint, or of each restorable one of a run: checksums, NaN and infinite values."""
    with leaving(), opened(roots) as workspace:
        code = refreshed(workspace, "verify", cached=cached)
        documents: list[dict[str, Any]] = []
        for checkpoint in _named(workspace, name):
            root_path = workspace.root(checkpoint.root).path
            with _shown(checkpoint) as watch:
                found = verify(root_path, checkpoint, watch=watch, restore=restore)
            keep_verification(workspace, checkpoint, found)
            code = code if found.passed else FAILED
            documents.append(_document(checkpoint, root_path, found))
            if not as_json:
                _print(checkpoint, found)
        refresh_anywhere(workspace, "verify", deep=False)
        if as_json:
            print_json(documents)
        raise typer.Exit(code)


def _named(workspace: Workspace, text: str) -> tuple[Checkpoint, ...]:
    """The checkpoint of that name, else the restorable ones of the run of that name.

    NotFoundError where there is neither, AmbiguousError where roots share the run's name.
    """
    name = posixpath.normpath(from_text(text))
    found: dict[str, Checkpoint] = {}
    for root in workspace.reader.roots():
        top = posixpath.normpath(root.path).rstrip("/")
        inside = name.removeprefix(f"{top}/") if posixpath.isabs(name) else name
        try:
            checkpoint = workspace.reader.checkpoint(root.id, inside)
        except NotFoundError:
            continue
        found.setdefault(workspace.absolute(root.id, checkpoint.path), checkpoint)
    if found:
        return tuple(found.values())
    try:
        run = workspace.find_run(text)
    except NotFoundError as error:
        raise NotFoundError(f"There is no checkpoint of that name either. {error}") from error
    members = tuple(item for item in workspace.members(run.root, run.path) if item.restorable)
    if not members:
        raise NotRestorableError(f"Nothing in {to_text(run.path)} can be restored, so there is nothing to verify.")
    return members


@contextmanager
def _shown(checkpoint: Checkpoint) -> Iterator[Any]:
    """A progress bar on stderr where that is a terminal; gives what `verify` calls."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn()
    with Bar(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task(to_text(checkpoint.path).replace("[", r"\["), total=None)

        def watch(progress: Progress) -> None:
            bar.update(task, total=progress.bytes_total, completed=progress.bytes_done)

        yield watch


def _print(checkpoint: Checkpoint, found: Verification) -> None:
    """A sentence on stdout; what is wrong with single tensors, and what could not be verified, on stderr."""
    path = to_text(checkpoint.path)
    answer = "" if found.restore is None else f" {found.restore.detail}"
    mark = ":" if found.outcome is Outcome.NOT_TOLD else "."
    stdout.print(f"{path}: {found.outcome.value}{mark} {found.detail}{answer}", markup=False, highlight=False)
    for problem in found.problems:
        say(f"  {problem.name}: {problem.rule.value}: {problem.detail}")
    if found.problem_count > len(found.problems):
        say(f"  and {found.problem_count - len(found.problems):,} more")
    for name, why in found.unverifiable:
        say(f"  {name}: not verified: {why}")


def _document(checkpoint: Checkpoint, root_path: str, found: Verification) -> dict[str, Any]:
    """A result as docs/cli.md describes it."""
    answer = found.restore
    return {
        "root": to_text(root_path),
        "run": to_text(checkpoint.run),
        "path": to_text(checkpoint.path),
        "outcome": found.outcome.value,
        "detail": found.detail,
        "tensors": found.tensors,
        "bytes": found.bytes,
        "seconds": round(found.seconds, 3),
        "problems": [
            {"rule": item.rule.value, "name": item.name, "detail": item.detail, "count": item.count}
            for item in found.problems
        ],
        "problem_count": found.problem_count,
        "unverifiable": [{"name": name, "why": why} for name, why in found.unverifiable],
        "unverifiable_count": found.unverifiable_count,
        "restore": None
        if answer is None
        else {"ok": answer.ok, "library": answer.library, "tensors": answer.tensors, "detail": answer.detail},
    }
