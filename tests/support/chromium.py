"""A real browser for the tests: Chromium, driven by Playwright."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pages.parts.frame import frame
from tests.support.pages_server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright for Python is not installed")
CHROMIUM = Path("/usr/bin/chromium")
IDLE = "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
HOSTILE = "<img src=x onerror=alert(1)> **b** :material"
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no {CHROMIUM}: apt-get install chromium")


@contextmanager
def launched() -> Iterator["Browser"]:
    """The browser."""
    with playwright.sync_playwright() as driver:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=options)
        yield browser
        browser.close()


@contextmanager
def fresh_tab(browser: "Browser", server: Server, height: int = 900) -> Iterator["Page"]:
    """A fresh tab; afterwards no request may have left for another host and no script of a name may have run."""
    context = browser.new_context(viewport={"width": 1280, "height": height}, base_url=server.url)
    tab = context.new_page()
    foreign: list[str] = []
    own = (server.url, server.url.replace("http", "ws"), "data:", "blob:")
    tab.on("request", lambda request: None if request.url.startswith(own) else foreign.append(request.url))
    tab.on("dialog", lambda dialog: foreign.append(f"dialog: {dialog.message}"))
    tab.set_default_timeout(60_000)
    yield tab
    assert tab.locator("[data-testid=stException]").count() == 0
    assert tab.get_by_text(frame.UNEXPECTED).count() == 0
    context.close()
    assert foreign == []
