"""What commands that take a search say beside their answer."""

from collections.abc import Sequence

from core.cli.session import say
from core.services.searching import Search, layouts, unknown_names
from core.services.workspace import Workspace
from waypoint_resume.names import to_text


def say_unknown(workspace: Workspace, search: Search | None, found: Sequence[object]) -> None:
    """Where a search finds nothing: which of its names nothing has."""
    for text in unknown_names(workspace, search) if search is not None and not found else ():
        say(text)


def say_guessed_layouts(workspace: Workspace) -> None:
    """By which names the levels of paths are found where nobody named them."""
    paths = {root.id: root.path for root in workspace.reader.roots()}
    for root, layout in layouts(workspace).items():
        if layout.is_guess and layout.names:
            guess = f"parts of paths are taken for {layout.layout}"
            say(f"{to_text(paths[root])}: {guess}; `layout` in the settings says otherwise.")
