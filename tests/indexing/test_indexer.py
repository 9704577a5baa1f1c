"""The background thread: what it tells while it works, when its version grows, how it stops and recovers."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.background.indexer import Indexer, IndexerStatus
from core.base.errors import BusyError
from core.catalog import writes
from core.indexing.options import Progress
from core.indexing.passes import problem_texts, root_id
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.trees import age, save, write
from waypoint_resume.names import short_id

SECONDS = 20.0


class Watched(Indexer):
    """An indexer that tells after each pass, and can be held in the middle of one."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(lambda _is_full: workspace.engine, workspace.settings)
        self.passes = threading.Semaphore(0)
        self.inside = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.seen: list[IndexerStatus] = []
        self.depths: list[bool] = []

    def _pass(self, deep: bool) -> None:
        self.depths.append(deep)
        super()._pass(deep)
        self.seen.append(self.status)
        self.passes.release()

    def _watch(self, root: str, progress: Progress) -> None:
        self.inside.set()
        assert self.go_on.wait(SECONDS)
        super()._watch(root, progress)

    def wait(self, ask: bool = True) -> IndexerStatus:
        """Ask for a pass and give the status after it."""
        if ask:
            self.look_now()
        assert self.passes.acquire(timeout=SECONDS)
        return self.seen[-1]


Maker = Callable[..., Watched]


@pytest.fixture
def make(workspace: Opener) -> Iterator[Maker]:
    """Makes indexers that look again only when asked, and stops them."""
    made: list[Watched] = []

    def maker(*roots: Path, refresh: float = 3600.0) -> Watched:
        made.append(Watched(workspace(*roots, refresh=refresh)))
        return made[-1]

    yield maker
    for each in made:
        each.go_on.set()
        each.stop()
        assert each._thread is None or not each._thread.is_alive()


def a_root(tmp_path: Path) -> Path:
    save(tmp_path / "root" / "exp", 1)
    age(tmp_path / "root")
    return tmp_path / "root"


def test_before_its_start_it_says_starting(make: Maker, tmp_path: Path) -> None:
    assert make(a_root(tmp_path)).status == IndexerStatus(phase="starting", version=0)


def test_a_pass_is_told_while_it_runs_and_when_it_is_done(make: Maker, tmp_path: Path) -> None:
    root = a_root(tmp_path)
    indexer = make(root)
    indexer.go_on.clear()
    indexer.start()
    indexer.start()
    assert indexer.inside.wait(SECONDS)
    assert (indexer.status.phase, indexer.status.finished_at) == ("looking", None)
    assert indexer.status.started_at is not None
    indexer.go_on.set()
    status = indexer.wait(ask=False)
    assert (status.phase, status.version, status.error) == ("waiting", 1, None)
    assert (status.root, status.folders, status.expected_folders, status.checkpoints) == (str(root), 2, None, 1)
    assert status.report is not None
    assert (status.report.parsed, [each.path for each in status.report.roots]) == (1, [str(root)])
    assert status.finished_at is not None
    assert status.finished_at >= status.started_at  # type: ignore[operator]


def test_the_version_grows_only_with_a_change(make: Maker, tmp_path: Path) -> None:
    root = a_root(tmp_path)
    indexer = make(root)
    indexer.start()
    assert indexer.wait(ask=False).version == 1
    status = indexer.wait()
    assert (status.version, status.expected_folders) == (1, 2)
    save(root / "exp", 2)
    assert indexer.wait().version == 2
    assert indexer.wait().version == 2


def test_an_empty_root_is_a_first_version_too(make: Maker, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    indexer = make(tmp_path / "root")
    indexer.start()
    assert indexer.wait(ask=False).version == 1


def test_it_looks_by_itself_and_deep_only_when_asked_or_at_times(make: Maker, tmp_path: Path) -> None:
    indexer = make(a_root(tmp_path), refresh=0.01)
    indexer.start()
    for _ in range(3):
        indexer.wait(ask=False)
    assert indexer.depths[:3] == [True, False, False]
    before = len(indexer.depths)
    indexer.look_now()
    for _ in range(3):
        indexer.wait(ask=False)
    assert True in indexer.depths[before:]


def test_asking_during_a_pass_makes_another_one_follow(make: Maker, tmp_path: Path) -> None:
    root = a_root(tmp_path)
    indexer = make(root)
    indexer.go_on.clear()
    indexer.start()
    assert indexer.inside.wait(SECONDS)
    indexer.look_now()
    indexer.go_on.set()
    indexer.wait(ask=False)
    indexer.wait(ask=False)
    assert indexer.depths == [True, True]


def test_stopping_during_a_pass_ends_it(make: Maker, tmp_path: Path) -> None:
    indexer = make(a_root(tmp_path))
    indexer.go_on.clear()
    indexer.start()
    assert indexer.inside.wait(SECONDS)
    indexer._stopping = True
    indexer.go_on.set()
    indexer.stop(SECONDS)
    assert indexer._thread is not None
    assert not indexer._thread.is_alive()
    assert indexer.status.report is None


def test_stopping_one_that_never_started_does_nothing(make: Maker, tmp_path: Path) -> None:
    make(a_root(tmp_path)).stop()


@pytest.mark.parametrize(
    ("error", "text"),
    [(RuntimeError("disk full"), "RuntimeError: disk full"), (BusyError("held by x"), "held by x")],
    ids=["unexpected", "busy"],
)
def test_an_error_is_shown_and_the_next_pass_recovers(
    error: Exception, text: str, make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise error

    indexer = make(a_root(tmp_path))
    monkeypatch.setattr(writes, "forget_roots", fails)
    indexer.start()
    status = indexer.wait(ask=False)
    assert (status.phase, status.error, status.version, status.report) == ("failed", text, 0, None)
    monkeypatch.undo()
    status = indexer.wait()
    assert (status.phase, status.error, status.version) == ("waiting", None, 1)


def test_a_missing_root_is_a_problem_of_the_report_not_a_failure(make: Maker, tmp_path: Path) -> None:
    root, gone = a_root(tmp_path), tmp_path / "gone"
    indexer = make(gone, root)
    indexer.start()
    status = indexer.wait(ask=False)
    assert status.phase == "waiting"
    assert status.report is not None
    assert [each.problem is None for each in status.report.roots] == [False, True]
    ((path, problem),) = problem_texts(status.report)
    assert (path, problem.path) == (str(gone), "")
    assert problem.problem.startswith(f"{gone}: No such file or directory. Is it mounted")


def test_a_manifest_of_our_own_does_not_make_a_run_live(make: Maker, tmp_path: Path, workspace: Opener) -> None:
    root = a_root(tmp_path)
    mine = workspace(root)
    mine.refresh()
    before = mine.find_run("exp")
    write(root / "exp", {"resume_manifest.json": b"{}"}, at_ns=before.changed_at is None or 2**60)
    mine.refresh()
    assert mine.find_run("exp").changed_at == before.changed_at


def test_the_id_of_a_root_is_short_and_stable() -> None:
    assert root_id("/data") == short_id("/data")
    assert len(root_id("/data")) == 12
