"""`mend`: the state files of a run put right, shown as a diff before anything is written."""

from collections.abc import Sequence
from typing import Annotated

import typer

from core.cli.options import AsJson, Cached, Roots, RunName
from core.cli.session import looked_at, print_json, say, stdout
from core.documents.mends import mends_document, proposal_document
from core.services import mending
from core.services.checkpoints import checkpoint_named
from core.services.mending import LiveRunError, Mend, Mender, MendProposal, MendState, Refusal, effects, mender_of
from core.services.workspace import Workspace
from waypoint_resume.names import to_text

LAST = "last"
Outcome = tuple[MendProposal, Mend | None]


def mend_command(  # noqa: PLR0913, PLR0917 - one for each option of the shell
    run: RunName,
    latest: Annotated[
        str | None, typer.Option(metavar="CHECKPOINT", help="Make this one the latest of its folder.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write what is shown.")] = False,
    undo: Annotated[
        str | None, typer.Option(metavar="ID", help="Undo a mend: its id, or `last` for the newest.")
    ] = None,
    confirm: Annotated[str, typer.Option(metavar="NAME", help="The run's name, which a live run needs.")] = "",
    max_to_keep: Annotated[
        int, typer.Option(min=1, metavar="N", help="Tell what the next save deletes with this max_to_keep.")
    ] = 5,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """Show how a run's state files would be put right; with --apply, write that. The old ones are kept."""
    if undo is not None and (apply or latest is not None):
        raise typer.BadParameter("stands alone, without --apply and --latest", param_hint="--undo")
    with looked_at(roots, "mend", cached=cached) as (workspace, code):
        mender = mender_of(workspace, workspace.find_run(run))
        if undo is not None:
            _undo(workspace, mender, undo, confirm=confirm, as_json=as_json)
            raise typer.Exit(code)
        proposals, refusals = _proposed(workspace, mender, latest)
        outcomes: list[Outcome] = [(item, None) for item in proposals]
        if apply:
            outcomes = [(item, mending.apply(workspace, mender.run, item, confirm)) for item in proposals]
        if as_json:
            now = workspace.now()
            documents = [proposal_document(item, mend, max_to_keep, now) for item, mend in outcomes]
            print_json(mends_document(mender, documents, refusals))
        else:
            _print(workspace, mender, outcomes, max_to_keep)
        for refusal in refusals[1:]:
            say(str(refusal.error))
        if refusals:
            raise refusals[0].error
        raise typer.Exit(code)


def _proposed(workspace: Workspace, mender: Mender, latest: str | None) -> tuple[list[MendProposal], list[Refusal]]:
    if latest is not None:
        found = mender.point_at(checkpoint_named(workspace, mender.run, latest))
        return ([] if found is None else [found]), []
    items = mender.proposals()
    return (
        [item for item in items if isinstance(item, MendProposal)],
        [item for item in items if isinstance(item, Refusal)],
    )


def _undo(workspace: Workspace, mender: Mender, which: str, *, confirm: str, as_json: bool) -> None:
    mend_id = mender.newest().record.id if which == LAST else which
    mend = mending.undo(workspace, mender.run, mend_id, confirm)
    if as_json:
        print_json(mends_document(mender))
    else:
        say(
            f"undone: {to_text(mend.record.state)} of {to_text(mender.run.path)} is what it was before {mend.record.id}"
        )


def _print(workspace: Workspace, mender: Mender, outcomes: Sequence[Outcome], max_to_keep: int) -> None:
    lines: list[str] = []
    for proposal, mend in outcomes:
        lines += [f"{to_text(proposal.state)}: {proposal.why}", *proposal.diff()]
        lines += effects(proposal, max_to_keep=max_to_keep, now=workspace.now())
        if mend is not None:
            lines.append(f"Written; `--undo {mend.record.id}` takes it back.")
        elif mender.is_live():
            lines.append(str(LiveRunError(mender.run.path)))
        lines.append("")
    if not outcomes:
        lines.append("Nothing to mend.")
    elif outcomes[0][1] is None:
        lines.append("Nothing was written; --apply writes it.")
    lines += [
        f"In effect since {mend.record.at:%Y-%m-%d %H:%M:%S} UTC: {mend.record.id} by {mend.record.actor}, "
        f"{mend.record.state}: {mend.record.why}"
        for mend in mender.history()
        if mend.state is MendState.IN_EFFECT and all(mend.record.id != made.record.id for _, made in outcomes if made)
    ]
    stdout.print("\n".join(lines), markup=False, highlight=False)
