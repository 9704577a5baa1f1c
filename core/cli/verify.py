"""The command that reads checkpoints to their last byte."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from core.base.records import Checkpoint
from core.cli.options import AsJson, Cached, Roots
from core.cli.session import FAILED, looked_at, print_json, refresh_anywhere, say, stderr, stdout
from core.documents.verifications import verification_document
from core.services import verifying
from core.services.checkpoints import restorable_named
from core.services.verifying import Outcome, Progress, Verification
from waypoint_resume.names import to_text


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
    with looked_at(roots, "verify", cached=cached) as (workspace, code):
        documents: list[dict[str, object]] = []
        for checkpoint in restorable_named(workspace, name):
            with _shown(checkpoint) as watch:
                found = verifying.verify(workspace, checkpoint, watch, restore=restore)
            code = code if found.passed else FAILED
            documents.append(verification_document(checkpoint, workspace.root(checkpoint.root).path, found))
            if not as_json:
                _print(checkpoint, found)
        refresh_anywhere(workspace, "verify", deep=False)
        if as_json:
            print_json(documents)
        raise typer.Exit(code)


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
