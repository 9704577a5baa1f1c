"""`quarantine` and `pin`: what is done about disk space."""

from typing import Annotated

import typer

from core.cli.carrying_out import tell
from core.cli.options import AsJson, Cached, DryRun, Note, Roots, RunName
from core.cli.policy import AskedPolicy, takes_policy
from core.cli.session import FAILED, looked_at, print_json, refresh_anywhere, say, stdout
from core.cli.usage import RunNames, SweepNames, named_runs, print_plan
from core.documents.batches import carried_out_document
from core.documents.plans import plan_document
from core.services import pins, quarantine, retention
from core.services.checkpoints import checkpoint_named
from waypoint_resume.names import to_text


@takes_policy
def quarantine_command(  # noqa: PLR0913, PLR0917 - one for each option of the shell
    runs: RunNames = None,
    sweeps: SweepNames = None,
    every: Annotated[bool, typer.Option("--all", help="Every run.")] = False,
    asked: AskedPolicy = lambda: None,
    note: Note = "",
    delete: Annotated[
        bool, typer.Option("--delete", help="For a full disk: delete it for good, at once. Needs --confirm.")
    ] = False,
    confirm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="'N trials': so many are left without a checkpoint. A run's name: to delete, or because its job has "
            "ended. May be repeated.",
        ),
    ] = None,
    dry_run: DryRun = False,
    roots: Roots = None,
    as_json: AsJson = False,
) -> None:
    """Carry out what `plan` shows: move it into quarantine, from where `undo` brings it back."""
    if bool(runs or sweeps) == every:
        raise typer.BadParameter("name the runs or a --sweep, or say --all", param_hint="RUN")
    with looked_at(roots, "quarantine", cached=False) as (workspace, code):
        policy = asked()
        found = named_runs(workspace, runs, sweeps)
        recovered = [] if dry_run else [quarantine.recover_run(workspace, run) for run in found]
        if any(recovered):
            refresh_anywhere(workspace, "quarantine")
        made = retention.plan(workspace, found, policy)
        if dry_run:
            if as_json:
                print_json(plan_document(made))
            else:
                print_plan(made)
            raise typer.Exit(code)
        retention.require_confirmation(made, *(confirm or ()))
        documents = []
        for part in quarantine.carry_out(
            workspace, made.runs, policy=policy, note=note, words=confirm or (), is_delete=delete
        ):
            tell(part)
            documents.append(carried_out_document(part))
            code = FAILED if part.problem is not None else code
        if as_json:
            print_json(documents)
        elif not documents:
            stdout.print("Nothing would go.")
        refresh_anywhere(workspace, "quarantine", deep=False)
        raise typer.Exit(code)


def pin_command(
    run: RunName,
    checkpoint: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="Relative to the root or to the run.")],
    note: Note = "",
    remove: Annotated[bool, typer.Option("--remove", help="Unpin it.")] = False,
    dry_run: DryRun = False,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """Keep a checkpoint under every policy."""
    with looked_at(roots, "pin", cached=cached) as (workspace, code):
        item = checkpoint_named(workspace, workspace.find_run(run), checkpoint)
        verb = "unpinned" if remove else "pinned"
        if not dry_run:
            made = pins.unpin(workspace, item) if remove else pins.pin(workspace, item, note)
            if as_json:
                print_json({"pinned": not remove, "path": made.path, "format": made.format.value, "note": made.note})
        say(f"{'would be ' if dry_run else ''}{verb}: {to_text(item.path)}")
        raise typer.Exit(code)
