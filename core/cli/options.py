"""Options and arguments that commands share."""

from typing import Annotated

import typer

Roots = Annotated[
    list[str] | None,
    typer.Option("--root", help="A folder to look in instead of the configured ones; may be repeated."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Cached = Annotated[bool, typer.Option("--cached", help="Answer from the last look at the disk, without another one.")]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run: relative to a root, or an absolute path inside one.")
]
Where = Annotated[
    str, typer.Option(metavar="EXPR", help="Only those that fit: 'alice val_loss<0.3 tag:baseline -scratch'.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Note = Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever reads it later.")]
