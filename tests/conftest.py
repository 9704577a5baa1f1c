"""What tests of several modules share: a clean environment, the sample runs as they were trained, a workspace."""

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from core.config.settings import Settings
from core.services.workspace import Workspace
from sample_runs import times
from tests.support.disk import Disk
from tests.support.quick import HEAVY_FIXTURES, is_quick
from tests.support.small_disks import Maker, small_disks
from tests.support.training import Trainings

# Jobs and servers that tests start import this checkout's client, wherever it is installed from.
CLIENT = str(Path(__file__).parent.parent / "client")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (CLIENT, os.environ.get("PYTHONPATH"))))

# A busy machine is slow, not wrong.
hypothesis_settings.register_profile("patient", deadline=None)
hypothesis_settings.load_profile("patient")

SAMPLES = Path(__file__).parent.parent / "sample_runs"
Opener = Callable[..., Workspace]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak`: tests of that mark do ten times as many rounds (make soak). `--quick`: the light ones (make quick)."""
    parser.addoption("--soak", action="store_true", help="ten times as many rounds of the tests marked so")
    parser.addoption("--quick", action="store_true", help="only tests without framework, browser and other processes")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --quick a file that imports something heavy is not even imported."""
    if config.getoption("--quick") and collection_path.suffix == ".py" and not is_quick(collection_path):
        return True
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --quick a test is left out that wants a heavy fixture of this file."""
    if config.getoption("--quick"):
        left_out = [item for item in items if HEAVY_FIXTURES & set(getattr(item, "fixturenames", ()))]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Take what the test modules imported out of Python's garbage collection.

    With TensorFlow it is about a million objects, which Keras' many full collections would go through each time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def more(request: pytest.FixtureRequest) -> int:
    """How many times as many rounds: 1, or 10 with --soak."""
    return 10 if request.config.getoption("--soak") else 1


@pytest.fixture
def trainings() -> Iterator[Trainings]:
    """Trainings, one at a time; none goes on after the test."""
    made = Trainings()
    yield made
    made.stop()


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No WAYPOINT_* variable but the home, and a current folder without a waypoint.toml."""
    for name in [name for name in os.environ if name.startswith("WAYPOINT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WAYPOINT_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """One job that is started again and again."""
    for name in ("SLURM_JOB_ID", "TF_CONFIG", "WAYPOINT_DECISIONS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WAYPOINT_JOB", "night")


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


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """An empty root with a fresh catalog."""
    made = Disk(tmp_path / "root", tmp_path / "home")
    yield made
    made.engine.dispose()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Maker]:
    """Makes file systems of a given size (as mount writes it), by name; skips where that is refused."""
    with small_disks(tmp_path) as make:
        yield make


@pytest.fixture
def no_unexpected_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A page that fails says so kindly and logs the traceback: here that fails the test."""
    from pages.parts.frame import frame, reads

    reads.pending_count.clear()
    yield
    failed = [record.getMessage() for record in caplog.get_records("call") if record.name == frame.__name__]
    assert failed == []


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty root of a dashboard; the home lies beside it."""
    from pages.parts.frame import service

    monkeypatch.setenv("WAYPOINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WAYPOINT_ACTOR", "tester")
    service.stop()
    made = tmp_path / "runs"
    made.mkdir()
    yield made
    service.stop()
