"""Views of the list of runs that a team keeps by name: the query of a URL. They lie in the home, for all users."""

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.base.errors import CoreError
from core.services.workspace import Workspace
from waypoint_resume.atomic import write_atomic
from waypoint_resume.clock import moment_text
from waypoint_resume.rules import moment_value, text_of, version_value
from waypoint_resume.spec import read_document

NAME = "views.json"
MOST, MOST_NAME, MOST_QUERY = 200, 80, 4_000  # views, and characters
_LIMIT = 4 << 20  # bytes
_VIEW = {"name": text_of(1, MOST_NAME), "query": text_of(0, MOST_QUERY), "by": text_of(), "at": moment_value}
_SPEC = {"version": version_value, "views": [_VIEW]}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A kept view: its name, the query of the page's URL without `?`, and who kept it when (ISO 8601, UTC)."""

    name: str
    query: str
    by: str
    at: str


def views(workspace: Workspace) -> tuple[View, ...]:
    """The kept views by name. CoreError, naming the file, where it cannot be understood."""
    place = workspace.settings.home / NAME
    try:
        document, problems = read_document(place.read_bytes()[: _LIMIT + 1], _LIMIT, _SPEC)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CoreError(f"{place} cannot be read: {error.strerror or error}.") from error
    if problems:
        told = "; ".join(map(str, problems[:3]))
        raise CoreError(f"{place} cannot be understood: {told}. Mend it, or remove it to begin without views.")
    return tuple(sorted((View(**one) for one in document["views"]), key=lambda one: one.name.casefold()))


def keep_view(workspace: Workspace, name: str, query: str) -> View | None:
    """Keep a view; returns the one of this name that it replaced. CoreError where the name or query is none."""
    name = name.strip()
    if not 0 < len(name) <= MOST_NAME or not name.isprintable():
        raise CoreError(f"A view's name has 1 to {MOST_NAME} printable characters.")
    if len(query) > MOST_QUERY:
        raise CoreError(f"The filters have {len(query):,} characters; at most {MOST_QUERY:,} are kept.")
    view = View(name=name, query=query, by=workspace.actor, at=moment_text(workspace.now()))
    return _replace(workspace, name, view)


def drop_view(workspace: Workspace, name: str) -> View | None:
    """Keep a view no longer; returns it. None where there was none."""
    return _replace(workspace, name, None)


def put_back(workspace: Workspace, name: str, view: View | None) -> None:
    """Take back what `keep_view` or `drop_view` did: the view of a name is the one that it was."""
    _replace(workspace, name, view)


def _replace(workspace: Workspace, name: str, view: View | None) -> View | None:
    with _lock:
        known = views(workspace)
        others = [one for one in known if one.name != name]
        if view is not None and len(others) >= MOST:
            raise CoreError(f"{MOST} views are kept already. Remove one that nobody needs.")
        _store(workspace, [*others, *((view,) if view is not None else ())])
    return next((one for one in known if one.name == name), None)


def _store(workspace: Workspace, found: Sequence[View]) -> None:
    document: dict[str, Any] = {"version": 1, "views": [asdict(one) for one in found]}
    write_atomic(workspace.settings.home / NAME, json.dumps(document, indent=1).encode())
