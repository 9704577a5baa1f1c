"""A save that is written over the one before: when a kill comes, training goes on exactly, an epoch back at most."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.jobs import Job, job_server

JOB = Path(__file__).with_name("saved_over_job.py")
AT_ONCE = 2


def begun(folder: Path, name: str, killed: int) -> Job:
    """The job in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a") as log:
        return job_server("jax").start(JOB, folder / "run", folder / "out.txt", name, killed, output=log, errors=log)


def lines_of(folder: Path) -> list[str]:
    return (folder / "out.txt").read_text().splitlines()


def in_turn(numbers: range, act: Callable[[int], Job], check: Callable[[int, int], None]) -> None:
    """Some at once, as there are processors."""
    for first in range(0, len(numbers), AT_ONCE):
        for number, job in [(number, act(number)) for number in numbers[first : first + AT_ONCE]]:
            check(number, job.wait())


@pytest.mark.parametrize(("name", "stride"), [("model.keras", 1), ("model.weights.h5", 3)])
def test_killed_before_any_change_of_a_save_it_goes_on_exactly(
    tmp_path: Path, name: str, stride: int, request: pytest.FixtureRequest
) -> None:
    whole = tmp_path / "unbroken"
    assert begun(whole, name, 0).wait() == 0
    made = int((whole / "out.txt.changes").read_text())
    assert made >= 15
    numbers = range(1, made + 1, 1 if request.config.getoption("--soak") else stride)

    def killed(number: int, status: int) -> None:
        assert status == -9, number

    def gone_on(number: int, status: int) -> None:
        folder = tmp_path / str(number)
        told = (folder / "log.txt").read_text()
        assert status == 0, (number, told)
        assert "no manifest, the newest that fits" in told, (number, told)
        assert set(lines_of(folder)) == set(lines_of(whole)), (number, told)
        trained = len(lines_of(folder)) - len(lines_of(whole))
        assert trained in (0, 3), number  # the epoch whose save was killed
        assert not list((folder / "run/.waypoint/kept").glob("*")), number

    in_turn(numbers, lambda number: begun(tmp_path / str(number), name, number), killed)
    in_turn(numbers, lambda number: begun(tmp_path / str(number), name, 0), gone_on)
