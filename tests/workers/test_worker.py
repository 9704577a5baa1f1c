"""Worker processes: a crash, a hang or too much memory costs one file, and nothing of the parent reaches them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from core.base.errors import CrashedError, TooLargeError
from core.workers import parser_pool

GOOD = {"offset": None, "length": 0}


@pytest.fixture
def pool() -> Iterator[parser_pool.Pool]:
    made = parser_pool.Pool(size=2)
    yield made
    made.close()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A worker that does what a request's path says."""
    path = tmp_path / "program.py"
    path.write_text(
        "import json, os, signal, sys, time\n"
        "print('{}', flush=True)\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)['path']\n"
        "    if asked == 'crash': os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    if asked == 'hang': time.sleep(60)\n"
        "    if asked == 'circle':\n"
        "        signal.setitimer(signal.ITIMER_PROF, json.loads(line)['seconds'])\n"
        "        while True: pass\n"
        "    if asked == 'chatter': print('{}\\n{}', flush=True)\n"
        "    if asked == 'garbage': print('no JSON', flush=True)\n"
        "    print(json.dumps({'tree': os.getpid()}), flush=True)\n"
    )
    monkeypatch.setattr(parser_pool, "PROGRAM", (str(path),))
    return path


def kinds(answers: list[object]) -> list[str]:
    return [type(answer).__name__ for answer in answers]


@pytest.mark.parametrize("bad", ["crash", "hang", "chatter", "garbage"])
def test_a_bad_file_costs_itself_only(pool: parser_pool.Pool, program: Path, bad: str) -> None:
    answers = list(pool.run([{"path": path} for path in ("a", bad, "b")], seconds=0.5))
    assert kinds(list(answers)) == ["dict", "HungError" if bad == "hang" else "CrashedError", "dict"]
    error = answers[1]
    assert isinstance(error, CrashedError)
    assert error.message.startswith("hung" if bad == "hang" else "the library that reads it crashed")


def test_what_turns_in_circles_ends_by_its_processor_time(pool: parser_pool.Pool, program: Path) -> None:
    began = time.process_time(), os.times().children_user
    answers = list(pool.run([{"path": "a"}, {"path": "circle"}, {"path": "b"}]))
    pool.close()
    assert kinds(list(answers)) == ["dict", "HungError", "dict"]
    assert isinstance(answers[1], CrashedError)
    assert answers[1].message == "hung: 1.8 s of a processor"
    assert time.process_time() - began[0] + os.times().children_user - began[1] < 2.5


def test_a_worker_that_was_killed_while_idle_is_replaced(pool: parser_pool.Pool, program: Path) -> None:
    (first,) = pool.run([{"path": "a"}])
    assert isinstance(first, dict)
    os.kill(first["tree"], signal.SIGKILL)
    (second,) = pool.run([{"path": "a"}])
    assert isinstance(second, dict)
    assert second["tree"] != first["tree"]


def test_a_worker_is_kept_between_files_and_ended_by_close(pool: parser_pool.Pool, program: Path) -> None:
    pids = {answer["tree"] for _ in range(3) for answer in pool.run([{"path": "a"}]) if isinstance(answer, dict)}
    assert len(pids) == 1
    pool.close()
    assert not Path(f"/proc/{pids.pop()}").exists()


def test_a_program_that_does_not_start_is_an_error(
    pool: parser_pool.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser_pool, "PROGRAM", (str(tmp_path / "absent.py"),))
    (answer,) = pool.run([{"path": "a"}])
    assert isinstance(answer, CrashedError)


def test_threads_share_at_most_size_workers(pool: parser_pool.Pool, program: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: next(iter(list(pool.run([{"path": "a"}])))), range(40)))
    assert len({answer["tree"] for answer in answers if isinstance(answer, dict)}) <= 2


def test_an_abandoned_batch_gives_its_worker_back(pool: parser_pool.Pool, program: Path) -> None:
    for _ in range(3):
        batch = pool.run([{"path": "a"}, {"path": "b"}])
        assert isinstance(next(batch), dict)
        batch.close()  # type: ignore[attr-defined]
    assert 1 <= len(pool._idle) <= 2


def test_nothing_of_the_parent_reaches_a_worker(
    pool: parser_pool.Pool, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYPOINT_PASSWORD", "secret")
    with open(program, "rb") as kept:
        os.set_inheritable(kept.fileno(), True)
        (answer,) = pool.run([{"path": "a"}])
        assert isinstance(answer, dict)
        process = Path(f"/proc/{answer['tree']}")
        targets = {os.readlink(path) for path in (process / "fd").iterdir()}
    assert str(program) not in targets
    assert b"secret" not in (process / "environ").read_bytes()


def test_memory_is_limited(pool: parser_pool.Pool, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.attrs.create("training_config", np.array("x" * 100, dtype=h5py.string_dtype()))
    (answer,) = pool.run([{"path": str(tmp_path / "a.h5"), **GOOD}])
    assert isinstance(answer, dict)
    assert answer["tree"]["attributes"] == {"training_config": "x" * 100}
    process = pool._idle[0]._process
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    size = next(int(line.split()[3]) for line in limits.splitlines() if line.startswith("Max address space"))
    assert 256 << 20 < size < 600 << 20


def test_gigabytes_in_an_attribute_are_not_read(pool: parser_pool.Pool, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.attrs["training_config"] = np.zeros(9 << 20, "S1")
        file.attrs["keras_version"] = np.array(["3", "4"], dtype="S1")
        file["vars/0"] = np.zeros(3)
    (answer,) = pool.run([{"path": str(tmp_path / "a.h5"), **GOOD}])
    assert isinstance(answer, dict)
    assert answer["tree"]["attributes"] == {}


def test_the_end_of_the_parent_leaves_no_process(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["vars/0"] = np.zeros(3)
    code = f"""
from core.workers import parser_pool
(answer,) = parser_pool.POOL.run([{{"path": {str(tmp_path / "a.h5")!r}, "offset": None, "length": 0}}])
print(parser_pool.POOL._idle[0]._process.pid, flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not Path(f"/proc/{int(done.stdout)}").exists()


def test_a_worker_starts_without_running_the_main_module_again(tmp_path: Path) -> None:
    main = tmp_path / "main.py"
    main.write_text(
        "print('main')\n"  # no guard, as in a page
        "from core.workers import parser_pool\n"
        "(answer,) = parser_pool.POOL.run([{'path': '/nowhere', 'offset': None, 'length': 0}])\n"
        "print(answer.kind)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, str(main)], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "main\nunreadable\n"


def test_a_fork_does_not_speak_into_its_parents_pipes(program: Path) -> None:
    code = (
        "import os, sys\n"
        "from core.workers import parser_pool\n"
        f"parser_pool.PROGRAM = ({str(program)!r},)\n"
        "ask = lambda: next(iter(list(parser_pool.POOL.run([{'path': 'a'}]))))['tree']\n"
        "first = ask()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if ask() != first else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert ask() == first\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_works_from_a_thread_while_others_run(pool: parser_pool.Pool, program: Path) -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend(pool.run([{"path": "a"}])))
    thread.start()
    thread.join(30)
    assert kinds(found) == ["dict"]


def test_errors_keep_their_kind() -> None:
    error = parser_pool._judged({"error": ["too-large", "tree", "much"]})
    assert isinstance(error, TooLargeError)
    assert str(error) == "tree: much"
