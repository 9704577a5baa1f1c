"""The pages without a browser: opening one, clicking, and reading what it says."""

import html
import os
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.frame import frame, service

ROUTER = str(Path(__file__).parents[2] / "pages" / "router.py")
# Names of a sample's copy, as nobody should choose them.
HOSTILE = "<img src=x onerror=alert(1)> **b** :material"
HOSTILE_INNER = "home: [x](http:"
BRACKETED = f"{HOSTILE}/{HOSTILE_INNER}/e)"  # TensorFlow takes it for a pattern: its 4 checkpoints are not restorable


def open_on(monkeypatch: pytest.MonkeyPatch, *roots: Path) -> AppTest:
    """The dashboard over some roots, looked at once."""
    monkeypatch.setenv("WAYPOINT_ROOTS", os.pathsep.join(map(str, roots)))
    service.current().look_now()
    return AppTest.from_file(ROUTER, default_timeout=30)


def show(app: AppTest, page: str, **query: str) -> AppTest:
    """Open a page by its URL."""
    app.run()
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(page).run()
    assert [item.value for item in app.exception] == []
    assert frame.UNEXPECTED not in values(app, "error")
    return app


def texts(app: AppTest) -> str:
    """Everything the page says outside of tables, one element a line."""
    kinds = ("title", "subheader", "markdown", "text", "caption", "error", "warning", "info", "success", "code")
    return "\n".join(value for kind in kinds for value in values(app, kind))


def values(app: AppTest, kind: str) -> list[str]:
    """What the elements of one kind say."""
    return [str(getattr(item, "value", "")) for item in app.get(kind)]


def plain(text: str) -> str:
    """Markdown as `md` wrote it, read back as a person sees it."""
    return html.unescape(text).replace("\u2060", "")


def select(app: AppTest, number: int, column: str) -> AppTest:
    """Click into a row of the page's first table."""
    key = app.dataframe[0].key
    assert key is not None
    app.session_state[key] = {"selection": {"rows": [], "columns": [], "cells": [(number, column)]}}
    return app.run()


def columns(app: AppTest, index: int = 0) -> dict[str, list[Any]]:
    """A table's cells by column."""
    return {str(head): list(cells) for head, cells in app.dataframe[index].value.items()}
