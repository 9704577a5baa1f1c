"""`tag`: what people say of a run."""

from typing import Annotated

import typer

from core.cli.options import AsJson, Cached, Roots, RunName
from core.cli.session import looked_at, print_json, refresh_anywhere, stdout
from core.documents.tags import tags_document
from core.services import tags
from core.services.tags import ChosenMetric, Direction, RunTags, TagChange
from waypoint_resume.names import to_text

# So that `-old` is an argument and no row of options.
CONTEXT = {"ignore_unknown_options": True}


def tag_command(  # noqa: PLR0913, PLR0917 - one for each option of the shell
    run: RunName,
    marks: Annotated[
        list[str] | None, typer.Argument(metavar="[+TAG|-TAG]…", help="Tags to add and to take away.")
    ] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="What to know of the run; '' for none.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="Whose run it is; '' for nobody's.")] = None,
    favourite: Annotated[bool | None, typer.Option("--favourite/--no-favourite", help="Whether it is one.")] = None,
    best_metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="By which metric it is best; '' for a guess. Needs --mode.")
    ] = None,
    mode: Annotated[Direction | None, typer.Option(help="Which values of that metric are better.")] = None,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """Say something of a run, by which it can be searched; without anything to say, tell what is said."""
    add, remove = _marks(marks or [])
    if bool(best_metric) != (mode is not None):
        raise typer.BadParameter("one needs the other", param_hint="--best-metric, --mode")
    change = TagChange(
        add=add,
        remove=remove,
        note=None if note is None else note.strip(),
        owner=None if owner is None else owner.strip(),
        favourite=favourite,
        best_metric=ChosenMetric(name=best_metric, mode=mode) if best_metric and mode else None,
        guess_best=best_metric == "",
    )
    with looked_at(roots, "tag", cached=cached) as (workspace, code):
        found = workspace.find_run(run)
        if change == TagChange():
            said = tags.read_tags(workspace, found)
        else:
            before, said = tags.change_tags(workspace, found, change)
            if said != before:
                refresh_anywhere(workspace, "tag", deep=False)
        if as_json:
            print_json(tags_document(found, workspace.root(found.root).path, said))
        else:
            _print(found.path, said)
        raise typer.Exit(code)


def _marks(marks: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tags to add, and tags to take away."""
    for mark in marks:
        if mark[:1] not in ("+", "-") or mark.startswith("--") or len(mark) == 1:
            raise typer.BadParameter(f"{mark!r} is neither +TAG nor -TAG", param_hint="[+TAG|-TAG]…")
    return tuple(mark[1:] for mark in marks if mark[0] == "+"), tuple(mark[1:] for mark in marks if mark[0] == "-")


def _print(run: str, said: RunTags) -> None:
    best = said.best_metric
    lines = (
        f"{to_text(run)}: {' '.join(said.tags) or 'no tags'}{', a favourite' if said.favourite else ''}",
        said.owner and f"  owner: {said.owner}",
        best and f"  best by {best.name}, {best.mode.value}",
        *(f"  {to_text(line)}" for line in said.note.splitlines()),
        said.at and f"  said by {to_text(said.by)} at {said.at}",
    )
    stdout.print("\n".join(line for line in lines if line), markup=False, highlight=False)
