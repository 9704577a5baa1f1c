"""A home on a full disk: a server goes on with a copy of the catalog in memory, until there is room again."""

import contextlib
import sqlite3
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from core.background.indexer import Indexer
from core.base.errors import CatalogError, CatalogFullError
from core.catalog.engine import catalog_error, has_room
from core.catalog.in_memory import is_in_memory
from core.config.settings import Settings
from core.services.workspace import Workspace


def open_anywhere(settings: Settings) -> Workspace:
    """Open the home's catalog, or where its disk is full a copy of it in memory. CatalogError, SettingsError."""
    try:
        return Workspace.open(settings)
    except CatalogFullError as error:
        try:
            return Workspace.open_in_memory(settings)
        except (sqlite3.Error, DBAPIError) as unreadable:
            raise error from unreadable


def write_anywhere(workspace: Workspace, write: Callable[[], None]) -> None:
    """Write to the catalog, or where its disk is full to a copy in memory, with which the workspace goes on then."""
    try:
        write()
    except OperationalError as error:
        if not isinstance(catalog_error(workspace.settings.home, error), CatalogFullError):
            raise
        workspace.go_on_in_memory()
        write()


def indexer_of(workspace: Workspace, after_deep: Callable[[], None] = lambda: None) -> Indexer:
    """A workspace's indexer, not yet started, which makes it go on in memory where the home's disk is full, and go back
    as soon as its catalog can be opened again.
    """

    def engine_for(is_full: bool) -> Engine:
        if is_full and not is_in_memory(workspace.engine):
            workspace.go_on_in_memory()
        elif not is_full and is_in_memory(workspace.engine) and has_room(workspace.settings.home):
            with contextlib.suppress(CatalogError):
                workspace.go_back_to_file()
        return workspace.engine

    return Indexer(engine_for, workspace.settings, after_deep)
