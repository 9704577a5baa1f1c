"""The links under the roots, as plans and acts ask for them."""

from itertools import chain

from core.base.records import Run
from core.catalog.passed_over import every_link
from core.retention.links import Link, Links, standing_links
from core.services.workspace import Workspace


def known_links(workspace: Workspace) -> Links:
    """Every link that the last look at the roots saw, and that is there now."""
    return Links.of(_known(workspace))


def links_now(workspace: Workspace, run: Run) -> Links:
    """The same, and what stands in the folders of a run, and in those above it, at this moment: for an act on it."""
    root_path = workspace.root(run.root).path
    folders = workspace.reader.folders_in(run.root, run.path) or ("" if run.path == "." else run.path,)
    known = set(_known(workspace))
    return Links.of(chain(known, (link for link in standing_links(root_path, folders, run.path) if link not in known)))


def _known(workspace: Workspace) -> list[Link]:
    with workspace.engine.connect() as connection:
        return [
            Link(root.path, *place) for root in workspace.reader.roots() for place in every_link(connection, root.id)
        ]
