"""What tests of several modules share: a clean environment, the sample runs as they were trained, a workspace."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.settings import Settings
from core.workspace import Workspace
from sample_runs import times

SAMPLES = Path(__file__).parent.parent / "sample_runs"
Opener = Callable[..., Workspace]


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No WAYPOINT_* variable but the home, and a current folder without a waypoint.toml."""
    for name in [name for name in os.environ if name.startswith("WAYPOINT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WAYPOINT_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A copy of the sample runs with the times that the training gave them."""
    root = tmp_path / "samples"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "trainers", "*.py", "*.md")
    shutil.copytree(SAMPLES, root, ignore=left_out)
    assert times.apply(root) == []
    (root / "times.json").unlink()
    return root


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Opener]:
    """Opens a workspace over some roots, its home in the temporary folder; settings may be given by name."""
    with ExitStack() as stack:

        def opened(*roots: Path, **settings: object) -> Workspace:
            known: dict[str, object] = {"roots": tuple(map(str, roots)), "home": tmp_path / "home", "actor": "ada"}
            made = Workspace.open(Settings(**(known | settings)))  # type: ignore[arg-type]
            stack.callback(made.close)
            return made

        yield opened
