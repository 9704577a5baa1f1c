"""`health`: every finding, worst first."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from core.base.records import Finding, Severity
from core.cli.options import AsJson, Cached, Roots
from core.cli.session import FAILED, looked_at, print_json, say, say_passed_over, stdout
from core.documents.findings import finding_document
from core.services.health import RULES, FindingFilter, PlacedFinding, grouped
from waypoint_resume.names import to_text

_WIDE = 120  # columns of a terminal that has room for reasons beside names


class FailOn(StrEnum):
    """From which severity on a finding is a failure."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def health_command(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Only this run's.")] = None,
    fail_on: Annotated[
        FailOn | None, typer.Option("--fail-on", help="Exit with 1 if there is a finding this bad, or worse.")
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="A line for each finding, also where one repeats in a folder.")
    ] = False,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """What is broken, half-written, forgotten or left over. Findings that people accepted are left out."""
    with looked_at(roots, "health", cached=cached) as (workspace, code):
        say_passed_over(workspace)
        where = FindingFilter()
        if run is not None:
            found = workspace.find_run(run)
            where = FindingFilter(root=found.root, run=found.path)
        placed = workspace.reader.findings(where, limit=None)
        paths = {root.id: root.path for root in workspace.reader.roots()}
        if as_json:
            print_json([finding_document(item, paths[item.root]) for item in placed])
        elif not paths:
            say("Nothing was looked at yet, so that nothing is known: leave --cached away.")
        else:
            _print(placed, each=each)
        if fail_on is not None and any(_fails(item, fail_on) for item in placed):
            code = FAILED
        raise typer.Exit(code)


def _fails(item: PlacedFinding, fail_on: FailOn) -> bool:
    return item.finding.severity.rank >= Severity(fail_on.value).rank


def _print(placed: tuple[PlacedFinding, ...], *, each: bool) -> None:
    if not placed:
        stdout.print("All clear.")
        return
    rows = list(_rows(placed, each=each))
    if stdout.is_terminal and stdout.width < _WIDE:
        for found, path, reason in rows:
            line = f"{found.severity.value}: {found.rule}: {path}\n  {reason}\n  {found.action}"
            stdout.print(line, markup=False, highlight=False)
    else:
        table = Table("severity", "rule", "path", "reason", box=None, pad_edge=False)
        for found, path, reason in rows:
            table.add_row(found.severity.value, found.rule, Text(path), Text(reason))
        stdout.print(table)
    counts = {severity: sum(item.finding.severity is severity for item in placed) for severity in reversed(Severity)}
    shown = [f"{number:,} {severity.value}{'s' if number > 1 else ''}" for severity, number in counts.items() if number]
    hint = "" if len(rows) == len(placed) else f", in {len(rows):,} lines; --each has a line for each"
    say(", ".join(shown) + hint)


def _rows(placed: tuple[PlacedFinding, ...], *, each: bool) -> Iterator[tuple[Finding, str, str]]:
    """A line's finding (of several the first), path and reason; those of one rule in one folder are one line."""
    if each:
        yield from ((item.finding, to_text(item.finding.path), item.finding.reason) for item in placed)
        return
    for group, members in grouped(placed):
        found = members[0].finding
        if group.number == 1:
            yield found, to_text(found.path), found.reason
            continue
        reasons = {item.finding.reason for item in members}
        folder = "" if group.folder == "." else f"{to_text(group.folder)}/"
        yield (
            found,
            f"{folder}{group.span}",
            f"{group.number:,} × {RULES[group.rule].meaning if len(reasons) > 1 else found.reason}",
        )
