"""The ASGI application: headers, readiness, what a running server has loaded, settings that are wrong."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.background.full_home import indexer_of
from core.base.records import IndexReport
from pages.parts.frame import service
from tests.support.pages_server import ROOT, Server, copy_samples, serve


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("app")
    with serve(copy_samples(folder / "runs"), folder / "home") as running:
        yield running


@pytest.mark.parametrize("path", ["/", "/runs", "/run?root=x&run=y", "/readyz", "/_stcore/health", "/nothing/here"])
def test_every_answer_has_the_security_headers(server: Server, path: str) -> None:
    headers = server.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["script-src"] == "'self'"
    assert policy["object-src"] == policy["frame-ancestors"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_readyz_is_200_after_the_first_look(server: Server) -> None:
    answer = server.get("/readyz")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_deep_link_gets_the_page_and_not_a_redirect(server: Server) -> None:
    answer = server.get("/checkpoint?root=x&run=y&path=z")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_running_dashboard_has_not_loaded_tensorflow(server: Server) -> None:
    assert not [line for line in _mapped_files(server.process.pid) if "tensorflow" in line.lower()]


def test_the_mapped_files_would_show_a_native_library(server: Server) -> None:
    assert any("numpy" in line for line in _mapped_files(server.process.pid))


def test_wrong_settings_end_the_start_with_a_sentence(tmp_path: Path) -> None:
    environment = os.environ | {"WAYPOINT_HOME": str(tmp_path), "WAYPOINT_REFRESH": "never"}
    command = [sys.executable, "-c", "import app"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Waypoint cannot start" in ended.stderr
    assert "WAYPOINT_REFRESH = 'never'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_service_without_a_server_looks_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_ROOTS", str(copy_samples(tmp_path / "runs")))
    monkeypatch.setenv("WAYPOINT_HOME", str(tmp_path / "home"))
    service.stop()
    try:
        current = service.current()
        assert current.status is None
        assert current.version == (0, 0)
        assert current.workspace.reader.overview(current.workspace.now()).runs == 0
        current.look_now()
        assert current.workspace.reader.overview(current.workspace.now()).runs == 13
        assert service.current() is current
    finally:
        service.stop()


def test_the_version_grows_while_the_first_look_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_ROOTS", str(tmp_path))
    monkeypatch.setenv("WAYPOINT_HOME", str(tmp_path / "home"))
    service.stop()
    try:
        current = service.current()
        current.indexer = indexer_of(current.workspace)
        seen = []
        for checkpoints, report in ((0, None), (7, None), (9, IndexReport())):
            current.indexer._status = replace(current.indexer.status, checkpoints=checkpoints, report=report)
            seen.append(current.version)
        assert seen == [(0, 0), (0, 7), (0, 0)]
    finally:
        service.stop()


def _mapped_files(process: int) -> list[str]:
    maps = Path(f"/proc/{process}/maps")
    if not maps.exists():
        pytest.skip("this system has no /proc to look into a process with")
    return maps.read_text().splitlines()
