"""One writer per home: the second waits, then is told who holds the lock; a dead holder holds nothing."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.base.errors import BusyError
from core.indexing.lock import FILE_NAME, writing

HOLDER = """
import sys
from pathlib import Path
from core.indexing.lock import writing
with writing(Path(sys.argv[1]), "the other"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(home: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that holds the lock until its input ends."""
    command = [sys.executable, "-c", HOLDER, str(home)]
    here = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=here) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process


def test_the_holder_is_written_down(tmp_path: Path) -> None:
    with writing(tmp_path, "index"):
        known = json.loads((tmp_path / FILE_NAME).read_bytes())
    assert (known["pid"], known["host"], known["purpose"]) == (os.getpid(), socket.gethostname(), "index")
    assert abs(known["since"] - time.time()) < 60


def test_a_second_writer_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        started = time.monotonic()
        with pytest.raises(BusyError) as caught, writing(tmp_path, "me", wait=0.2):
            pass
        assert 0.2 <= time.monotonic() - started < 5
        name = f"process {process.pid} on {socket.gethostname()} (the other)"
        assert str(caught.value) == f"The catalog in {tmp_path} is being written by {name}."


def test_the_lock_is_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.kill()
        process.wait(10)
        with writing(tmp_path, "me", wait=0.0):
            assert json.loads((tmp_path / FILE_NAME).read_bytes())["purpose"] == "me"


def test_a_waiting_writer_goes_on_when_the_lock_is_given_back(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        with writing(tmp_path, "me", wait=10.0):
            assert json.loads((tmp_path / FILE_NAME).read_bytes())["pid"] == os.getpid()


def test_the_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="oh"), writing(tmp_path, "me"):
        raise ValueError("oh")
    with writing(tmp_path, "me", wait=0.0):
        pass


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"pid": 1}', b"\xff"], ids=["empty", "cut", "list", "part", "bytes"]
)
def test_a_holder_that_left_no_name_is_another_process(content: bytes, tmp_path: Path) -> None:
    with writing(tmp_path, "me"):
        (tmp_path / FILE_NAME).write_bytes(content)
        with pytest.raises(BusyError, match="is being written by another process"), writing(tmp_path, "you", wait=0.0):
            pass
