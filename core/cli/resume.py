"""The command `resume`: a checkpoint is handed over, in one of the three modes."""

from collections.abc import Sequence
from typing import Annotated

import typer

from core.base.errors import AmbiguousError, NotRestorableError
from core.base.records import Checkpoint, Run
from core.cli.options import AsJson, Cached, Roots, RunName
from core.cli.session import leaving, opened, refreshed, say
from core.services.checkpoints import checkpoint_named
from core.services.manifests import ManifestState, run_manifests, to_json
from core.services.resume import Mode, ModeError, Proposal, Scalar, parse_overrides, propose, resume_from
from core.services.runs import reasons, series_choices
from core.services.workspace import Workspace
from waypoint_resume.names import to_text


def resume_command(  # noqa: PLR0913, PLR0917 - one for each option of the shell
    run: RunName,
    checkpoint: Annotated[
        str | None, typer.Option(metavar="PATH", help="The checkpoint, if not the latest that can be restored.")
    ] = None,
    mode: Annotated[
        Mode | None, typer.Option(help="How the job goes on; without it it continues, where that is possible.")
    ] = None,
    weights_only: Annotated[
        bool,
        typer.Option(
            "--weights-only",
            help="Hand over the weights alone, for a training that begins anew: other layers are trained, another "
            "optimizer. Best with --mode fork.",
        ),
    ] = False,
    override: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A setting of the optimizer that the job applies then: learning_rate=0.001. Repeat.",
        ),
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever reads the manifest later.")] = "",
    confirm: Annotated[str, typer.Option(metavar="RUN", help="The run's name: for the rewind of a live run.")] = "",
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """Write a run's resume manifest and print it. Every warning is printed first, and is accepted by this command."""
    del as_json  # the manifest is JSON either way
    with leaving(), opened(roots) as workspace:
        overrides = overrides_given(override or ())
        code = refreshed(workspace, "resume", cached=cached)
        found = workspace.find_run(run)
        picked = (
            checkpoint_named(workspace, found, checkpoint) if checkpoint is not None else _only_choice(workspace, found)
        )
        if not picked.restorable:
            raise NotRestorableError(f"{to_text(picked.path)} cannot be restored: {' '.join(reasons(picked))}")
        proposal = propose(workspace, picked, mode or Mode.CONTINUE, weights_only=weights_only)
        look = proposal.outlook(proposal.mode)
        if not look.possible:
            raise ModeError(_refusal(proposal))
        if proposal.mode is not Mode.FORK:
            _say_replaced(workspace, found)
        for warning in proposal.warnings:
            say(f"warning: {warning.text}")
        say(f"{look.mode.value}: {look.consequence}")
        accepted = [warning.id for warning in proposal.warnings]
        manifest, path = resume_from(
            workspace, picked, proposal, note=note, accepted=accepted, overrides=overrides, confirm=confirm
        )
        say(f"written: {to_text(str(path))}")
        typer.echo(to_json(manifest))
        raise typer.Exit(code)


def overrides_given(texts: Sequence[str]) -> dict[str, Scalar]:
    """The settings of `--override`, as the dialog reads its lines. typer.BadParameter names the one that is none."""
    try:
        return parse_overrides(texts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--override") from None


def _refusal(proposal: Proposal) -> str:
    """Why a mode is not possible, and what the others would do."""
    refused = proposal.outlook(proposal.mode)
    lines = [f"{to_text(proposal.path)}: {refused.mode.value} is not possible. {refused.consequence}"]
    lines += [f"--mode {look.mode.value}: {look.consequence}" for look in proposal.outlooks if look.possible]
    return "\n  ".join(lines)


def _say_replaced(workspace: Workspace, run: Run) -> None:
    for entry in run_manifests(workspace, run.root, run.path):
        if entry.state is ManifestState.PENDING:
            say(f"replaces the pending manifest of {entry.manifest.created_by}, {entry.manifest.checkpoint.path}")


def _only_choice(workspace: Workspace, run: Run) -> Checkpoint:
    """The latest restorable of the run's only series."""
    choices = series_choices(workspace, run.root, run.path)
    picked = [choice.chosen for choice in choices if choice.chosen is not None]
    if not picked:
        passed = "; ".join(
            f"{to_text(p.checkpoint.path)}: {' '.join(p.reasons)}" for c in choices for p in c.passed_over
        )
        raise NotRestorableError(
            f"Nothing in {to_text(run.path)} can be restored: {passed.rstrip('.') or 'it has no checkpoints'}."
        )
    if len(picked) > 1:
        names = ", ".join(to_text(item.path) for item in picked)
        raise AmbiguousError(f"{to_text(run.path)} has several series; say which with --checkpoint: {names}.")
    return picked[0]
