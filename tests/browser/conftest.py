"""A browser, and a tab of it on the server that a module's tests start."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.pages_server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium, for the tests of a module."""
    from tests.support.chromium import launched  # here, for it skips where there is no Playwright

    with launched() as started:
        yield started


@pytest.fixture
def height() -> int:
    """The pixels of a tab, from its head to its foot."""
    return 900


@pytest.fixture
def page(browser: "Browser", server: Server, height: int) -> Iterator["Page"]:
    """A tab of its own, `height` pixels high."""
    from tests.support.chromium import fresh_tab

    with fresh_tab(browser, server, height) as tab:
        yield tab
