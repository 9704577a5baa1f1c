"""Workers agree on where all stop, however far one program is ahead of another, and whoever asks."""

import multiprocessing
import random
import threading
import time
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from waypoint_resume import stop_agreement
from waypoint_resume.stop_agreement import StopAgreement

TASKS = ("worker-0", "worker-1", "worker-2")
AHEAD, STEPS = 5, 100_000  # how many steps a program may be ahead of what is computed; far more than are made


class Steps:
    """Steps that need all workers: each is computed once every worker has begun it; a program may run ahead of that."""

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.begun = [context.Value("q", 0) for _ in range(workers)]

    def begin(self, worker: int, ahead: int) -> None:
        """Begin the next step; returns when the one `ahead` steps before is computed."""
        with self.begun[worker].get_lock():
            self.begun[worker].value += 1
        until = time.monotonic() + 30
        while min(item.value for item in self.begun) < self.begun[worker].value - ahead:
            assert time.monotonic() < until, "a worker waits for ever"
            time.sleep(0.0005)


def work(steps: Steps, folder: Path, worker: int, seed: int, asks: dict[int, str], found: Any) -> None:  # noqa: ANN401
    """Train until all stop: where that was, and how."""
    chance, agreement = random.Random(seed + worker), StopAgreement(folder, TASKS[worker], TASKS, is_chief=worker == 0)
    agreement.begin()
    asks_after = chance.randrange(300)
    for number in range(1, STEPS):
        steps.begin(worker, chance.randrange(AHEAD))
        time.sleep(chance.random() * 0.002)
        if agreement.is_due(asks.get(worker) if number > asks_after else None):
            found.put((worker, number, agreement.ended))
            return
    found.put((worker, None, agreement.refused))


@pytest.mark.parametrize("askers", [(0,), (2,), (0, 1, 2)], ids=["the chief", "another one", "all"])
def test_all_stop_at_the_same_step(tmp_path: Path, askers: tuple[int, ...]) -> None:
    context, seed = multiprocessing.get_context("spawn"), random.randrange(10**6)
    (tmp_path / "stop-former").mkdir()
    (tmp_path / "stop-former" / "0.asked").write_text('{"ended": "paused"}')
    steps, found = Steps(3), context.Queue()
    asks = dict.fromkeys(askers, "preempted")
    arguments = (steps, tmp_path / "stop-now")
    workers = [context.Process(target=work, args=(*arguments, index, seed, asks, found)) for index in range(3)]
    for worker in workers:
        worker.start()
    ends = [found.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert len({(step, ended) for _, step, ended in ends}) == 1, f"seed {seed}: {ends}"
    assert ends[0][1:] != (None, None)
    assert ends[0][2] == "preempted"
    assert not (tmp_path / "stop-former").exists()


def test_a_worker_that_does_not_look_for_it_is_named_and_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_agreement, "GATHER_LIMIT", 0.1)
    agreement = StopAgreement(tmp_path / "stop-now", "worker-0", TASKS[:2], is_chief=True)
    agreement.begin()
    try:
        until = time.monotonic() + 30
        while agreement.refused is None and time.monotonic() < until:
            assert not agreement.is_due("paused")
            time.sleep(0.01)
        assert str(agreement.refused).startswith("Of 2 workers worker-1 does not look for it.")
    finally:
        agreement.close()


def test_whoever_waits_in_vain_goes_on_and_so_do_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_agreement, "HOLD_LIMIT", 1.0)
    monkeypatch.setattr(stop_agreement.StopAgreement, "_watch", lambda *_: None)  # a disk that shows nothing new
    folder, tasks = tmp_path / "stop-now", TASKS[:2]
    first = StopAgreement(folder, "worker-0", tasks, is_chief=True)
    late = StopAgreement(folder, "worker-1", tasks, is_chief=False)
    first.begin()
    late.begin()
    assert not first.is_due("paused")
    assert first.refused == "The training waited 1 s for worker-1 to stop with the others."
    assert not late.is_due("preempted")
    first.refused = late.refused = None
    found: Queue[bool] = Queue()
    other = threading.Thread(target=lambda: found.put(late.is_due("preempted")))
    other.start()
    assert first.is_due("preempted")
    other.join()
    assert found.get()
