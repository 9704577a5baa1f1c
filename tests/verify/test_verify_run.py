"""A verification from the asker's side: files that change meanwhile, workers that die, cancel, memory, the queue."""

import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.background.verifier import State, Verifier, VerifyJob
from core.base.files import FileStat
from core.base.records import Checkpoint
from core.verify import run, trial
from core.verify.results import (
    BadRule,
    Outcome,
    RestoreAnswer,
    TensorProblem,
    Verification,
    from_document,
    to_document,
)
from core.verify.run import Progress, verify
from core.workers import process
from core.workers.process import Ending, converse
from tests.support import builders, hostile_files, hostile_hdf5
from tests.support.builders import Tensor
from tests.support.bundle_files import put
from tests.support.hostile_hdf5 import hdf5
from tests.support.keras_files import checkpoints

MOST_MEMORY = 200 * 10**6  # bytes of the worker


def only(root: Path) -> Checkpoint:
    """The one checkpoint below a folder."""
    (found,) = checkpoints(root).values()
    return found


def large(folder: Path, size: int = 4 << 30) -> Checkpoint:
    """A bundle of one tensor of zeros that takes no room on the disk; its checksum does not hold. So large that
    something may happen to it while it is read.
    """
    folder.mkdir(exist_ok=True)
    tensor = Tensor(name="model/w", shape=(size // 4,), data=b"")
    item = builders.entry_proto(tensor, 0, 0, b"")
    item.size = size
    put(folder, {"big.index": builders.table([(b"", b"\x08\x01"), (b"model/w", item.SerializeToString())])})
    hostile_files.sparse(folder / "big.data-00000-of-00001", size)
    return only(folder)


def small(folder: Path) -> Checkpoint:
    """A whole checkpoint."""
    folder.mkdir(exist_ok=True)
    put(folder, builders.bundle(builders.trained(3), "ckpt-3"))
    return only(folder)


def once(action: Callable[[], object]) -> Callable[[Progress], None]:
    """Something to do when a verification has read its first bytes."""
    done: list[bool] = []

    def watch(progress: Progress) -> None:
        if progress.bytes_done and not done:
            done.append(True)
            action()

    return watch


def children() -> set[int]:
    """The processes that this one started and that still run."""
    found = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii")
    return {int(number) for number in found.split()}


def test_results_survive_as_documents() -> None:
    result = Verification(
        outcome=Outcome.DAMAGED,
        detail="1 tensor did not pass.",
        tensors=3,
        bytes=100,
        seconds=0.5,
        problems=(TensorProblem(rule=BadRule.NON_FINITE, name="w", detail="2 values", count=2),),
        problem_count=1,
        unverifiable=(("iterator", "a variant"),),
        unverifiable_count=1,
        files=(FileStat("a\udcff.index", 5, 77, 8, 9, 1, 512),),
        finished_at=datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC),
        restore=RestoreAnswer(ok=True, library="TensorFlow 2.21.0", tensors=3, detail="It read all 3 tensors."),
    )
    assert from_document(json.loads(json.dumps(to_document(result)))) == result
    assert not result.passed
    for broken in ({}, {**to_document(result), "outcome": "perfect"}, {**to_document(result), "problems": 1}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            from_document(broken)


def test_a_result_holds_for_the_very_files(tmp_path: Path) -> None:
    checkpoint = small(tmp_path)
    result = verify(str(tmp_path), checkpoint)
    assert (result.outcome, result.passed) == (Outcome.VERIFIED, True)
    assert result.holds_for(checkpoint.files)
    assert result.holds_for(tuple(reversed(checkpoint.files)))
    shard = next(file for file in checkpoint.files if "data" in file.name)
    for other in ({"size": 1}, {"mtime_ns": 1}, {"inode": 1}, {"name": "x"}):
        changed = [file._replace(**other) if file is shard else file for file in checkpoint.files]
        assert not result.holds_for(changed)
    assert not result.holds_for(checkpoint.files[1:])


def test_progress_comes_with_an_estimate_and_memory_stays_small(tmp_path: Path) -> None:
    checkpoint = large(tmp_path, 320 << 20)
    seen: list[Progress] = []
    result = verify(str(tmp_path), checkpoint, watch=seen.append)
    assert [item.name for item in result.problems] == ["model/w"]
    assert result.bytes == 320 << 20
    assert seen[0].bytes_total == 320 << 20
    assert seen[0].seconds_left is None
    done = [progress.bytes_done for progress in seen]
    assert done == sorted(done)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
@pytest.mark.parametrize("kind", ["tensor", "strings", "hdf5", "many"])
def test_the_worker_takes_less_than_200_megabytes(tmp_path: Path, kind: str) -> None:
    if kind == "tensor":
        large(tmp_path, 320 << 20)
    elif kind == "strings":
        text = builders.text("words", b"x" * (150 << 20))
        put(tmp_path, builders.bundle([text], "big"))
    elif kind == "hdf5":
        hdf5(lambda file: file.create_dataset("vars/0", data=np.zeros(40 << 20, "float32")))(tmp_path)
    else:
        put(tmp_path, builders.bundle([builders.floats(f"{number:06d}", 1) for number in range(49_000)], "big"))
    request = run.request_for(str(tmp_path), only(tmp_path))
    ended = converse(run.WORKER, request, hear=lambda _: None, cancelled=lambda: False, silence=60)
    assert ended.how is Ending.ANSWERED
    assert "result" in ended.answer, ended.answer
    assert 10**7 < ended.answer["peak"] < MOST_MEMORY


def test_bytes_behind_the_last_tensor_of_a_shard_are_told_and_no_damage(tmp_path: Path) -> None:
    small(tmp_path)
    shard = next(tmp_path.rglob("*.data-00000-of-00001"))
    with shard.open("ab") as file:
        file.write(b"more")
    result = verify(str(tmp_path), only(tmp_path), watch=lambda _: None, cancelled=lambda: False)
    assert (result.outcome, result.problem_count) == (Outcome.VERIFIED, 0)
    assert f"{shard.name} has {shard.stat().st_size:,} bytes, of which the index describes" in result.detail


def test_a_file_that_is_cut_while_it_is_read_has_changed(tmp_path: Path) -> None:
    checkpoint = large(tmp_path)
    shard = tmp_path / "big.data-00000-of-00001"
    result = verify(str(tmp_path), checkpoint, watch=once(lambda: os.truncate(shard, 1 << 20)))
    assert (result.outcome, result.problems) == (Outcome.CHANGED, ())
    assert result.detail.startswith("Changed while read: big.data-00000-of-00001.")


def test_a_file_that_goes_away_or_is_gone_before_has_changed(tmp_path: Path) -> None:
    checkpoint = large(tmp_path)
    index = tmp_path / "big.index"
    result = verify(str(tmp_path), checkpoint, watch=once(index.unlink))
    assert (result.outcome, result.detail) == (Outcome.CHANGED, "Changed while read: big.index is gone.")
    again = verify(str(tmp_path), checkpoint)
    assert (again.outcome, again.detail) == (Outcome.CHANGED, "big.index is gone since the last look at the disk.")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (signal.SIGKILL, "The reading process was ended by SIGKILL. Was the machine out of memory?"),
        (signal.SIGSEGV, "The reading process was ended by SIGSEGV. The files may be damaged."),
    ],
)
def test_the_death_of_the_worker_is_a_sentence(tmp_path: Path, number: int, sentence: str) -> None:
    checkpoint, before = large(tmp_path), children()

    def kill() -> None:
        (worker,) = children() - before
        os.kill(worker, number)

    result = verify(str(tmp_path), checkpoint, watch=once(kill))
    assert (result.outcome, result.detail) == (Outcome.FAILED, sentence)
    assert children() == before


def test_a_death_over_a_file_that_changed_is_a_change(tmp_path: Path) -> None:
    checkpoint, before = large(tmp_path), children()

    def cut_and_die() -> None:
        os.truncate(tmp_path / "big.data-00000-of-00001", 5)
        (worker,) = children() - before
        os.kill(worker, signal.SIGBUS)

    assert verify(str(tmp_path), checkpoint, watch=once(cut_and_die)).outcome is Outcome.CHANGED


def test_cancelling_ends_the_worker(tmp_path: Path) -> None:
    checkpoint, before = large(tmp_path), children()
    wish = threading.Event()
    result = verify(str(tmp_path), checkpoint, watch=once(wish.set), cancelled=wish.is_set)
    assert (result.outcome, result.passed) == (Outcome.CANCELLED, False)
    assert children() == before
    assert verify(str(tmp_path), checkpoint, cancelled=lambda: True).outcome is Outcome.CANCELLED


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Makes a module of some lines that a conversation can be had with."""

    def made(lines: str) -> str:
        (tmp_path / "a_program.py").write_text(f"import os, sys, time\nsys.stdin.readline()\n{lines}\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return "a_program"

    return made


@pytest.mark.parametrize(
    ("lines", "how"),
    [
        ("print('{\"ready\": true}', flush=True); time.sleep(600)", Ending.SILENT),
        ("print('no JSON', flush=True); time.sleep(600)", Ending.DIED),
        ("print('[1]', flush=True); time.sleep(600)", Ending.DIED),
        ("sys.exit(3)", Ending.DIED),
        ("os.close(0); os.write(1, b'{\"result\": 1}')", Ending.DIED),
        ("os.write(1, b'{\"result\": 1}\\n'); time.sleep(600)", Ending.ANSWERED),
    ],
    ids=["hangs", "garbage", "list", "exits", "cut", "answers"],
)
def test_a_program_that_misbehaves_is_ended(program: Callable[[str], str], lines: str, how: Ending) -> None:
    before = children()
    ended = converse(program(lines), {}, hear=lambda _: None, cancelled=lambda: False, silence=0.5)
    assert ended.how is how
    assert children() == before


def test_a_worker_that_hangs_or_talks_nonsense_is_a_sentence(
    program: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = small(tmp_path)
    monkeypatch.setattr(run, "SILENCE", 0.5)
    monkeypatch.setattr(run, "WORKER", program("print('{\"ready\": true}', flush=True); time.sleep(600)"))
    assert verify(str(tmp_path), checkpoint).detail == "The reading process hung: no word for 0.5 s."
    monkeypatch.setattr(run, "WORKER", program("print('{\"result\": {}}', flush=True)"))
    assert verify(str(tmp_path), checkpoint).detail.startswith("The reading process gave an answer that makes no sense")
    monkeypatch.setattr(trial, "PROGRAM", program("os.abort()"))
    answer = trial.try_restore(str(tmp_path), checkpoint)
    assert (answer.ok, answer.detail) == (False, "The library that restores it crashed while reading.")


@pytest.mark.parametrize(
    ("make", "outcome"),
    [
        (hostile_files.config_bomb, Outcome.NOT_TOLD),
        (partial(hostile_files.config_bomb, size=900), Outcome.NOT_TOLD),
        (hostile_files.other_method, Outcome.NOT_TOLD),
        (hostile_files.hidden_directory, Outcome.NOT_TOLD),
        (hostile_files.snappy_bomb, Outcome.NOT_TOLD),
        (hostile_files.long_keys, Outcome.NOT_TOLD),
        (hostile_files.many_tensors, Outcome.NOT_TOLD),
        (hostile_files.deep_graph, Outcome.VERIFIED),
        (hostile_files.wide_graph, Outcome.VERIFIED),
        (hdf5(hostile_hdf5.many_groups), Outcome.NOT_TOLD),
        (hdf5(hostile_hdf5.absurd_extents), Outcome.DAMAGED),
        (hdf5(hostile_hdf5.huge_attributes), Outcome.NOT_TOLD),
        (hdf5(hostile_hdf5.endless_counter), Outcome.VERIFIED),
        (hostile_files.entries_of(hostile_files.shaped(1 << 62)), Outcome.DAMAGED),
    ],
    ids=[
        *("config-bomb", "config-lies", "bzip2", "hidden-directory", "snappy", "keys", "tensors", "deep", "wide"),
        *("groups", "extents", "attributes", "endless", "shape"),
    ],
)
def test_a_hostile_file_costs_little(tmp_path: Path, make: hostile_files.Maker, outcome: Outcome) -> None:
    make(tmp_path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = verify(str(tmp_path), only(tmp_path))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.outcome is outcome, result.detail
    assert 0 < len(result.detail) < 1_000
    assert after.ru_utime - before.ru_utime < 10


def finished(verifier: Verifier, count: int) -> tuple[VerifyJob, ...]:
    """The jobs, once so many are done."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        jobs = verifier.jobs()
        if sum(job.state is State.DONE for job in jobs) >= count:
            return jobs
        threading.Event().wait(0.02)
    raise AssertionError(verifier.jobs())


def test_the_queue_takes_one_after_another_and_reports_each(tmp_path: Path) -> None:
    reports: list[tuple[str, Outcome]] = []
    first, second = small(tmp_path / "a"), large(tmp_path / "b", 32 << 20)
    verifier = Verifier(lambda checkpoint, result: reports.append((checkpoint.path, result.outcome)))
    try:
        ids = [verifier.submit(str(tmp_path / "a"), first), verifier.submit(str(tmp_path / "b"), second)]
        assert verifier.submit(str(tmp_path / "b"), second) == ids[1]
        jobs = finished(verifier, 2)
        assert [job.id for job in jobs] == ids
        assert [job.verification.outcome for job in jobs if job.verification] == [Outcome.VERIFIED, Outcome.DAMAGED]
        assert reports == [("ckpt-3", Outcome.VERIFIED), ("big", Outcome.DAMAGED)]
        assert verifier.submit(str(tmp_path / "b"), second) not in ids
    finally:
        verifier.close()


def test_jobs_that_wait_and_run_can_be_given_up(tmp_path: Path) -> None:
    started, go_on = threading.Event(), threading.Event()
    reports: list[Outcome] = []

    def report(_checkpoint: Checkpoint, result: Verification) -> None:
        reports.append(result.outcome)
        started.set()
        go_on.wait(60)
        raise RuntimeError("a full disk")

    first, second = small(tmp_path / "a"), large(tmp_path / "b")
    verifier = Verifier(report)
    try:
        verifier.submit(str(tmp_path / "a"), first)
        assert started.wait(60)
        waiting = verifier.submit(str(tmp_path / "b"), second)
        verifier.cancel(waiting)
        verifier.cancel(999)
        (_, given_up) = finished(verifier, 2)
        assert given_up.verification is not None
        assert given_up.verification.outcome is Outcome.CANCELLED
        running = verifier.submit(str(tmp_path / "b"), second)
        go_on.set()
        while not any(job.id == running and job.progress.bytes_done for job in verifier.jobs()):
            assert not any(job.id == running and job.state is State.DONE for job in verifier.jobs())
        verifier.cancel(running)
        finished(verifier, 3)
        assert reports == [Outcome.VERIFIED]
    finally:
        go_on.set()
        verifier.close()


def test_closing_the_queue_ends_what_runs(tmp_path: Path) -> None:
    before = children()
    verifier = Verifier(lambda _checkpoint, _result: None)
    verifier.submit(str(tmp_path), large(tmp_path))
    verifier.close()
    assert children() == before


def test_the_environment_of_a_worker_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere")
    monkeypatch.setenv("HDF5_PLUGIN_PATH", "/nowhere")
    found: Mapping[str, Any] = process._environment()
    assert not {"PYTHONSTARTUP", "HDF5_PLUGIN_PATH"} & found.keys()
    assert (found["HDF5_USE_FILE_LOCKING"], found["HDF5_PLUGIN_PRELOAD"]) == ("FALSE", "::")
