"""Searches as people type them, on pages and in the shell: their meaning, what runs are sorted by, unknown names."""

import difflib
from collections.abc import Iterable
from datetime import datetime

from core.base.errors import NotFoundError
from core.catalog.levels import RootLayout, load_layouts
from core.catalog.run_order import ValueSort
from core.catalog.run_queries import RUN_SORTS
from core.search.errors import SearchError
from core.search.fields import CHECKPOINT_FIELDS, RUN_FIELDS, Field, Kind
from core.search.meaning import Named, Search, Which, understand
from core.services.workspace import Workspace

__all__ = [
    "CHECKPOINT_FIELDS",
    "EXAMPLES",
    "RUN_FIELDS",
    "Field",
    "Kind",
    "RootLayout",
    "Search",
    "SearchError",
    "layouts",
    "run_sort",
    "search_checkpoints",
    "search_runs",
    "unknown_names",
]

# What somebody may type, and what it finds.
EXAMPLES = (
    ("alice sweep", "both words, in the path, tags, owner or note"),
    ('"exact words" -scratch', "these words together, and without that one"),
    ("val_loss<0.3", "the last value of a metric; val_loss.best, .min, .max and .first are others"),
    ("lr=0.001 optimizer:adam", "parameters: a number, and a part of a text"),
    ("user:alice project=ads", "levels of the path, as the layout names them"),
    ("tag:baseline owner:bob", "what people say of runs"),
    ("status:live health:error", "runs that live and have an error"),
    ("saved<7d size>1GiB", "saved within seven days, larger than a gibibyte"),
    ("saved>=2026-11-01", "since a day (UTC)"),
)
# What the catalog calls otherwise than a search does.
_COLUMNS = {"saved": "last_saved", "changed": "changed_at", "size": "bytes", "step": "newest_step", "run": "path"}


def search_runs(text: str, now: datetime) -> Search | None:
    """What a search for runs means; None for one without a word. SearchError, naming the character."""
    return understand(text, now) if text.strip() else None


def search_checkpoints(text: str, now: datetime) -> Search | None:
    """The same for checkpoints: by what they have themselves, else by what their run has."""
    return understand(text, now, {**RUN_FIELDS, **CHECKPOINT_FIELDS}) if text.strip() else None


def run_sort(workspace: Workspace, text: str) -> tuple[str | ValueSort, bool]:
    """What runs are sorted by, and whether the greatest come first (`-size`). NotFoundError for what no run has."""
    is_descending, name = text.startswith("-"), text.removeprefix("-")
    column = _COLUMNS.get(name, name)
    if column in RUN_SORTS:
        return column, is_descending
    before, _, after = name.rpartition(".")
    tag, which = (before, Which(after)) if before and after in tuple(Which) else (name, Which.LAST)
    found = workspace.reader.value_sort(tag, which) or workspace.reader.value_sort(name, Which.LAST)
    if found is None:
        known = [*_COLUMNS, *RUN_SORTS, *workspace.reader.value_names()]
        raise NotFoundError(f"No run has {name!r} to be sorted by{_nearest(name, known)}")
    return found, is_descending


def unknown_names(workspace: Workspace, search: Search) -> tuple[str, ...]:
    """A sentence for each name of a search that no run has, with the one that may be meant."""
    names = dict.fromkeys(one.test.name for one in search.conditions if isinstance(one.test, Named))
    missing = [name for name in names if not workspace.reader.has_value(name)]
    if not missing:
        return ()
    known = [*RUN_FIELDS, *workspace.reader.value_names()]
    return tuple(f"No run has a level, metric or parameter {name!r}{_nearest(name, known)}" for name in missing)


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, [*dict.fromkeys(known)], n=1)
    return f"; did you mean {found[0]}?" if found else "."


def layouts(workspace: Workspace) -> dict[str, RootLayout]:
    """How the levels of each root's paths are named, by the root's id."""
    with workspace.engine.connect() as connection:
        return load_layouts(connection, [root.id for root in workspace.reader.roots()])
