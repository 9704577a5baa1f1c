"""`undo` and `purge`: batches that went into quarantine, or that rewinds set aside."""

from typing import Annotated

import typer

from core.base.errors import NotFoundError
from core.base.records import Run
from core.base.sizes import size_text
from core.cli.options import AsJson, Cached, DryRun, Roots, RunName
from core.cli.session import FAILED, looked_at, print_json, refresh_anywhere, say, stdout
from core.documents.batches import batch_document, purged_document, returned_document
from core.services import quarantine
from core.services.quarantine import WITHDRAWN, Batch, ConflictError, as_run_text, short_id
from waypoint_resume.names import to_text

BatchName = Annotated[str | None, typer.Argument(metavar="[BATCH]", help="The batch's id or its last digits.")]


def undo_command(
    run: RunName,
    batch: BatchName = None,
    rename: Annotated[
        bool,
        typer.Option(
            "--rename",
            help="Put what would stand in the way of newer files into a folder of its own, a rewind into a new run.",
        ),
    ] = False,
    dry_run: DryRun = False,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """Bring back a batch that went into quarantine or was set aside by a rewind; without BATCH, list the run's."""
    with looked_at(roots, "undo", cached=cached) as (workspace, code):
        found = quarantine.find_quarantined_run(workspace, run)
        if not dry_run:
            quarantine.recover_run(workspace, found)
        known = quarantine.run_batches(workspace, found)
        if batch is None or dry_run:
            chosen = [item for item in known.batches if batch is None or batch in (item.id, item.short)]
            _print_batches(found, chosen, as_json=as_json)
            if batch is not None and not chosen:
                raise NotFoundError(f"Run {to_text(found.path)} has no batch {to_text(batch)!r}.")
            raise typer.Exit(code)
        try:
            done = quarantine.undo_batch(workspace, found, batch, rename=rename)
        except ConflictError as error:
            say(f"{error}\nTo bring it back in that way, say --rename.")
            raise typer.Exit(FAILED) from error
        for problem in done.problems:
            say(f"{problem.path}: {problem.problem}")
        refresh_anywhere(workspace, "undo", deep=False)
        if as_json:
            print_json(returned_document(done))
        elif done.new_run is not None:
            say(as_run_text(done.new_run, done.files, is_done=True))
        else:
            say(f"back: {len(done.journal.items):,} of batch {short_id(done.journal.id)}")
        if done.withdrawn:
            say(WITHDRAWN)
        raise typer.Exit(code)


def purge_command(
    run: RunName,
    batch: BatchName = None,
    confirm: Annotated[
        str, typer.Option(metavar="TEXT", help="The batch's last digits, or the run's name: it cannot be undone.")
    ] = "",
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="Every batch of the run that is so old.")
    ] = None,
    dry_run: DryRun = False,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """Delete for good a batch in quarantine, or one that a rewind set aside."""
    if (batch is None) == (older_than is None):
        raise typer.BadParameter("name a batch, or say --older-than", param_hint="BATCH")
    with looked_at(roots, "purge", cached=cached) as (workspace, code):
        found = quarantine.find_quarantined_run(workspace, run)
        if dry_run:
            chosen = [item for item in quarantine.run_batches(workspace, found).batches if item.purgeable]
            if batch is not None:
                chosen = [item for item in chosen if batch in (item.id, item.short)]
            _print_batches(found, chosen, as_json=as_json)
            raise typer.Exit(code)
        purged = (
            quarantine.purge_old(workspace, found, older_than or 0)
            if batch is None
            else (quarantine.purge_batch(workspace, found, batch, confirm=confirm),)
        )
        for one in purged:
            for problem in one.problems:
                say(f"{problem.path}: {problem.problem}")
        if as_json:
            print_json([purged_document(one) for one in purged])
        else:
            freed = sum(one.freed_bytes for one in purged)
            say(f"{len(purged):,} purged, {size_text(freed)} freed")
        raise typer.Exit(code)


def _print_batches(run: Run, items: list[Batch], *, as_json: bool) -> None:
    if as_json:
        print_json([batch_document(item) for item in items])
        return
    lines = [
        f"{item.short}  {item.kind.value}  {_stage(item)}  {item.at:%Y-%m-%d %H:%M:%S} UTC  {item.by}  "
        f"{len(item.items):,} items, {size_text(item.bytes)}, "
        f"{size_text(item.freed_bytes)} would be freed{f': {item.note}' if item.note else ''}"
        for item in items
    ]
    stdout.print("\n".join(lines) or f"{to_text(run.path)} has no batches.", markup=False, highlight=False)


def _stage(item: Batch) -> str:
    """How far it is; where that is half the way, who ends it."""
    return "; ".join([item.stage.value, *(one.problem for one in item.problems if one.path == item.id)])
