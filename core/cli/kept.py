"""`kept RUN [MANIFEST]`: what jobs kept of what was handed over to them, and bringing it back."""

from typing import Annotated

import typer
from rich.table import Table

from core.base.sizes import size_text
from core.cli.options import AsJson, Cached, Roots, RunName
from core.cli.session import looked_at, print_json, refresh_anywhere, say, stdout
from core.documents.kept import kept_document
from core.services import kept

Name = Annotated[str | None, typer.Argument(metavar="[MANIFEST]", help="The manifest's id or its last digits.")]


def kept_command(
    run: RunName,
    manifest: Name = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take away what was brought back.")] = False,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """List what is kept of a run's picks; with MANIFEST, bring that one back under a free name."""
    with looked_at(roots, "kept", cached=cached) as (workspace, code):
        found = workspace.find_run(run)
        if manifest is None:
            folder = workspace.run_folder(found.root, found.path).folder
            rows = [kept_document(item, folder) for item in kept.kept(workspace, found.root, found.path)]
            if as_json:
                print_json(rows)
            else:
                table = Table("manifest", "checkpoint", "size", "original")
                for row in rows:
                    is_there = "unchanged" if row["original_is_there"] else "replaced or gone"
                    table.add_row(str(row["manifest"]), str(row["path"]), size_text(int(str(row["bytes"]))), is_there)
                stdout.print(table)
        elif undo:
            kept.take_kept_away(workspace, found.root, found.path, manifest)
            say("What was brought back is taken away again; the copy is still kept.")
        else:
            path = kept.bring_kept_back(workspace, found.root, found.path, manifest)
            refresh_anywhere(workspace, "kept", deep=False)
            if as_json:
                print_json({"path": path})
            else:
                say(f"back: {path}. With --undo it goes again.")
        raise typer.Exit(code)
