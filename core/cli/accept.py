"""`accept`: findings that are so on purpose, one or all that repeat in a folder."""

from typing import Annotated

import typer

from core.base.errors import NotFoundError
from core.cli.options import AsJson, Cached, Roots, RunName
from core.cli.session import looked_at, print_json, refresh_anywhere, say
from core.services import health
from core.services.health import RULES, FindingFilter, PlacedFinding, relative_to_run
from waypoint_resume.names import to_text


def accept_command(  # noqa: PLR0913, PLR0917 - one for each option of the shell
    run: RunName,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="What was found, as `health` names it.")],
    path: Annotated[
        str | None,
        typer.Argument(metavar="[PATH]", help="Only about this, or what lies below it; relative to the run."),
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why it is so on purpose. Needed, but for --remove.")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="They are findings again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """Accept all findings of a rule in a run: they count no more, until what they are about changes."""
    if rule not in RULES:
        raise typer.BadParameter(f"there is no rule {rule!r}; known: {', '.join(sorted(RULES))}", param_hint="RULE")
    if not (note.strip() or remove):
        raise typer.BadParameter("say why: in half a year somebody will ask", param_hint="--note")
    with looked_at(roots, "accept", cached=cached) as (workspace, code):
        found = workspace.find_run(run)
        where = FindingFilter(root=found.root, run=found.path, rule=rule, accepted=remove)
        placed = [one for one in workspace.reader.findings(where, limit=None) if _is_within(one, path)]
        if not placed:
            kind = "accepted finding" if remove else "finding"
            about = "" if path is None else f" about {to_text(path)}"
            raise NotFoundError(f"Run {to_text(found.path)} has no {kind} {rule}{about}.")
        if not dry_run:
            if remove:
                health.withdraw_acceptance(workspace, placed)
            else:
                health.accept(workspace, placed, note)
            refresh_anywhere(workspace, "accept", deep=False)
        if as_json:
            told = [{"rule": rule, "path": to_text(one.finding.path)} for one in placed]
            print_json({"accepted": not remove, "run": to_text(found.path), "note": note, "findings": told})
        verb = "no longer accepted" if remove else "accepted"
        say(f"{'would be ' if dry_run else ''}{verb}: {len(placed):,} × {rule} in {to_text(found.path)}")
        raise typer.Exit(code)


def _is_within(one: PlacedFinding, path: str | None) -> bool:
    """Whether a finding is about a path of its run as people type it, or about something below it."""
    own = to_text(relative_to_run(one.finding.path, one.run))
    return path is None or own == path or own.startswith(f"{path.rstrip('/')}/")
