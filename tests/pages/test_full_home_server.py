"""A dashboard whose home has no byte left: it starts, draws, deletes at once, and goes back later."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.catalog.in_memory import is_in_memory
from core.retention.policies import KeepLatest, Policy
from core.services import retention
from pages.parts.frame import frame, service
from pages.parts.storage import deleting, quarantining
from tests.catalog.test_full_home import run_of
from tests.pages.test_storage_page import press, tried
from tests.support.pages import ROUTER, plain, show, texts
from tests.support.pages_server import serve
from tests.support.small_disks import Maker, fill_up
from tests.support.trees import flip

pytestmark = pytest.mark.usefixtures("plain_environment", "no_unexpected_error")
WITHIN = 60.0  # seconds


@pytest.fixture
def stopped() -> Iterator[None]:
    """No service before, none after."""
    service.stop()
    yield
    service.stop()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def start() -> service.Service:
    """A server's service that has looked at the disk once."""
    current = service.start()
    until(lambda: (status := current.status) is not None and status.report is not None)
    return current


def test_a_server_starts_with_its_home_and_runs_on_a_full_disk(small_disk: Maker) -> None:
    disk = small_disk("disk", "4m")
    run_of(disk / "root")
    fill_up(disk)
    with serve(disk / "root", disk) as server:  # its log lies beside the disk
        assert server.get("/readyz").status == 200
        assert server.get("/").status == 200


@pytest.mark.parametrize("is_known", [False, True], ids=["new", "filled while it ran"])
def test_the_page_deletes_at_once_what_could_not_be_moved(
    is_known: bool, small_disk: Maker, monkeypatch: pytest.MonkeyPatch, stopped: None
) -> None:
    disk = small_disk("disk", "6m")
    run = run_of(disk / "root")
    monkeypatch.setenv("WAYPOINT_ROOTS", str(disk / "root"))
    monkeypatch.setenv("WAYPOINT_HOME", str(disk / "home"))
    if is_known:
        start()
    ballast = fill_up(disk)
    current = start()
    os.utime(run / "ckpts/ckpt-1.index", ns=(1, 1))  # something to write about
    assert current.look_and_wait(WITHIN)
    assert is_in_memory(current.workspace.engine)
    app = tried(show(AppTest.from_file(ROUTER, default_timeout=60), "storage.py"), latest=1)
    assert plain(frame.IN_MEMORY) in plain(texts(app))
    made = app.session_state["storage_plan"]
    outcome = quarantining.moved(made.plan.runs, made.policy, "")
    assert (outcome.items, [part.run for part in outcome.full]) == (0, ["a"])
    app.session_state["storage_left_out"] = outcome.left
    app.session_state["storage_to_delete"] = [deleting.Offer(part, made.policy) for part in outcome.full]
    app.run()
    press(app, "Delete at once, of a…")
    app.text_input(key="delete_typed").set_value("b").run()
    press(app, "Delete for good")
    assert "type the run's name, a" in plain(texts(app))
    assert len(list(run.glob("ckpts/*.index"))) == 4
    app.text_input(key="delete_typed").set_value("a").run()
    press(app, "Delete for good")
    assert "Deleted for good: 3 things of a" in plain(texts(app))
    assert sorted(path.name for path in run.glob("ckpts/*.index")) == ["ckpt-4.index"]
    ballast.unlink()
    assert current.look_and_wait(WITHIN)
    assert not is_in_memory(current.workspace.engine)
    assert [item.path for item in current.workspace.members(current.workspace.find_run("a").root, "a")] == [
        "a/ckpts/ckpt-4"
    ]
    assert plain(frame.IN_MEMORY) not in plain(texts(app.run()))


def test_damage_that_is_found_while_the_home_is_full_reaches_the_plan(
    small_disk: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: None
) -> None:
    disk = small_disk("disk", "6m")
    run = run_of(tmp_path / "root")
    monkeypatch.setenv("WAYPOINT_ROOTS", str(tmp_path / "root"))
    monkeypatch.setenv("WAYPOINT_HOME", str(disk / "home"))
    current = start()
    space = current.workspace
    flip(run / "ckpts/ckpt-4")
    assert current.look_and_wait(WITHIN)
    (newest,) = [item for item in space.members(space.find_run("a").root, "a") if item.path.endswith("-4")]
    assert newest.restorable
    fill_up(disk)
    current.verifier.submit(str(tmp_path / "root"), newest)
    until(lambda: any(item.path == newest.path and not item.restorable for item in space.members(newest.root, "a")))
    assert is_in_memory(space.engine)
    (planned,) = retention.plan(space, [space.find_run("a")], Policy(rules=(KeepLatest(1),))).runs
    assert {item.path for item in planned.items} == {"ckpts/ckpt-1", "ckpts/ckpt-2"}
