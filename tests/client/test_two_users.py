"""A server and a job of two users of one group: whoever comes first, neither ever shuts the other out of a run."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import trees

HERE = Path(__file__).parents[2]
SERVER, JOB, GROUP = 41_001, 41_002, 41_000
PREFIXES = [f"ckpts/ckpt-{number}" for number in (1, 2, 3)]
ACCESS = {"setgid": 0o2775, "plain": 0o775, "closed": 0o2770}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two other users")


Process = subprocess.Popen[str]


@dataclass(frozen=True)
class User:
    """A process of a user, told where it acts and with which umask."""

    uid: int
    process: Process
    root: Path
    umask: int

    def do(self, action: str, *wanted: object) -> Any:  # noqa: ANN401 - JSON
        """What an action gave; an error's text if it failed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([str(self.root), self.umask, action, *wanted]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A folder that other users can reach: pytest's own are root's alone."""
    made = Path(tempfile.mkdtemp(prefix="waypoint-two-users-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def processes(shared: Path) -> Iterator[dict[int, Process]]:
    """One process of each user. Their own groups differ, and both are in the group of the runs."""
    with ExitStack() as stack:

        def started(uid: int) -> Process:
            home = shared / f"home-{uid}"
            home.mkdir(mode=0o700)
            os.chown(home, uid, uid)
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.support.act_as_user", home, str(uid), str(GROUP)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=HERE,
                    env={**os.environ, "HOME": str(home), "WAYPOINT_JOB": "night"},
                )
            )
            assert process.stdin is not None
            stack.callback(process.stdin.close)
            return process

        yield {uid: started(uid) for uid in (SERVER, JOB)}


def a_run(root: Path, access: int) -> Path:
    """What a job of the group trained: three checkpoints and a state file, which the group may read and write."""
    run = root / "run"
    for number in (1, 2, 3):
        trees.save(run / "ckpts", number)
    trees.state(run / "ckpts", "ckpt-3", "ckpt-1", "ckpt-2", "ckpt-3", at_ns=trees.START_NS + 3 * trees.MINUTE_NS)
    for path in (root, run, *run.rglob("*")):
        os.chown(path, JOB, GROUP)
        path.chmod(access if path.is_dir() else access & 0o664)
    return run


@pytest.fixture
def users(
    shared: Path, processes: dict[int, Process], request: pytest.FixtureRequest
) -> Iterator[tuple[Path, User, User]]:
    """A run of some access, and the server and the job with some umask."""
    access, umask = request.param
    run = a_run(shared / "runs", ACCESS[access])
    server, job = (User(uid, processes[uid], run.parent, umask) for uid in (SERVER, JOB))
    yield run, server, job
    shutil.rmtree(run.parent)


def all_of(run: Path) -> dict[str, tuple[bytes, int]]:
    """Every file that was trained: content and time."""
    files = (path for path in run.rglob("*") if path.is_file() and ".waypoint" not in path.parts)
    return {
        path.relative_to(run).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
        if path.name != "resume_manifest.json"
    }


def shut(run: Path) -> list[str]:
    """Folders and files of Waypoint's that are not as open to the group as the run is."""
    wanted = stat.S_IMODE(run.stat().st_mode)
    odd = []
    for path in (run / ".waypoint", *(run / ".waypoint").rglob("*"), run / "resume_manifest.json"):
        if path.exists() and "files" not in path.parts:
            found, needed = path.stat(), wanted if path.is_dir() else wanted & 0o666
            if found.st_gid != GROUP or stat.S_IMODE(found.st_mode) != needed:
                odd.append(f"{path.relative_to(run)} {found.st_gid} {stat.S_IMODE(found.st_mode):o}")
    return odd


WAYS = [(access, umask) for access in ("setgid", "plain") for umask in (0o022, 0o077)] + [("closed", 0o022)]
each_way = pytest.mark.parametrize("users", WAYS, indirect=True, ids=lambda way: f"{way[0]}-{way[1]:03o}")


@each_way
@pytest.mark.parametrize("first", ["server", "job"])
def test_a_server_and_a_job_of_one_group_work_in_the_same_run(users: tuple[Path, User, User], first: str) -> None:
    run, server, job = users
    before = all_of(run)
    if first == "job":
        assert job.do("start") == []
        assert server.do("look") == [True]
        assert job.do("finish") is None
    assert server.do("pin", PREFIXES[1]) == f"user {SERVER}"
    assert server.do("hand_over", PREFIXES[1], "rewind") == ["rewind", "run"]
    assert job.do("start") == [PREFIXES[2]]
    assert server.do("look") == ["claimed", True]
    assert job.do("finish") is None
    assert server.do("look") == ["finished", False]
    assert server.do("undo") == [2, []]
    assert all_of(run) == before
    assert job.do("unpin", PREFIXES[1]) == f"user {SERVER}"
    assert server.do("hand_over", PREFIXES[2], "continue") == ["continue", "run"]
    assert job.do("start") == []
    assert server.do("look") == ["claimed", True]
    assert job.do("finish") is None
    assert shut(run) == []
    assert server.do("hand_over", PREFIXES[0], "fork") == ["fork", "run-from-1"]
    assert job.do("start", "run-from-1") == []
    assert job.do("finish") is None
    fork = run.with_name("run-from-1")
    assert shut(fork) == []
    assert [
        path.name for path in fork.rglob("*") if (path.stat().st_mode & 0o060, path.stat().st_gid) != (0o060, GROUP)
    ] == []


@each_way
@pytest.mark.parametrize("roles", ["server-first", "job-first"])
def test_what_one_user_did_the_other_undoes(users: tuple[Path, User, User], roles: str) -> None:
    run, server, job = users
    one, other = (server, job) if roles == "server-first" else (job, server)
    before = all_of(run)
    for _ in range(2):
        assert one.do("quarantine") == PREFIXES[:2]
        assert other.do("undo") == [4, []]
        assert all_of(run) == before
        assert len(one.do("point_at", PREFIXES[0])) == 36
        assert other.do("undo_mend") == "undone"
        assert all_of(run) == before
        assert one.do("hand_over", PREFIXES[2], "continue") == ["continue", "run"]
        assert other.do("withdraw") is None
        assert other.do("pin", PREFIXES[0]) == f"user {other.uid}"
        assert one.do("unpin", PREFIXES[0]) == f"user {other.uid}"
        one, other = other, one
    assert one.do("quarantine") == PREFIXES[:2]
    assert other.do("purge") == 4
    assert shut(run) == []
    assert all_of(run).keys() == {name for name in before if "ckpt-1" not in name and "ckpt-2" not in name}


@pytest.mark.parametrize("users", [("setgid", 0o022)], indirect=True, ids=["setgid-022"])
def test_a_folder_of_another_user_that_shuts_the_group_out_is_named_with_what_to_do(
    users: tuple[Path, User, User],
) -> None:
    run, server, job = users
    assert server.do("pin", PREFIXES[1]) == f"user {SERVER}"
    (run / ".waypoint").chmod(0o755)
    for told in (job.do("start"), job.do("pin", PREFIXES[0])):
        assert f"{run}/.waypoint cannot be written. Let its group write there (chmod -R g+rwX {run}/.waypoint)" in told
