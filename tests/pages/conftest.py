"""What tests of pages share: the dashboard over the sample runs and some with odd names."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.frame import service
from tests.support.pages import BRACKETED, ROUTER
from tests.support.pages_server import copy_samples


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample runs and some with odd names; its folder may be changed by no test."""
    runs = copy_samples(tmp_path_factory.mktemp("pages") / "runs")
    odd = (BRACKETED, "new\nline", "rtl\u202egnp.exe", os.fsdecode(b"bad\xff\xfe"))
    for name in odd:
        shutil.copytree(runs / "mnist-cnn" / "checkpoints", runs / name)
    return runs


@pytest.fixture(scope="session")
def catalog(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose catalog knows `samples`."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAYPOINT_HOME", str(home))
        patch.setenv("WAYPOINT_ROOTS", str(samples))
        service.stop()
        service.current().look_now()
        service.stop()
    return home


@pytest.fixture
def app(samples: Path, catalog: Path, monkeypatch: pytest.MonkeyPatch, no_unexpected_error: None) -> Iterator[AppTest]:
    """The dashboard over the sample runs; what it shows is only read."""
    monkeypatch.setenv("WAYPOINT_HOME", str(catalog))
    monkeypatch.setenv("WAYPOINT_ROOTS", str(samples))
    service.stop()
    yield AppTest.from_file(ROUTER, default_timeout=30)
    service.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for a home and roots of the test's own; `open_on` looks at them."""
    monkeypatch.setenv("WAYPOINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WAYPOINT_ACTOR", "tester")
    service.stop()
    yield tmp_path
    service.stop()
