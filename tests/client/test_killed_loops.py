"""Loops of their own, killed as tests/client/test_killed_jobs.py has it: a manager, the DCGAN tutorial, two workers."""

from pathlib import Path

import pytest

from tests.client.test_killed_jobs import Trainings, ran, require_equal

LOOPS = [f"{job}:resume{manifest}" for job in ("manager", "dcgan", "workers") for manifest in ("", ":manifest")]


@pytest.fixture(scope="module")
def killed(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[Path, dict[str, Trainings]]:
    """The folder of the trainings, and what became of them."""
    folder = tmp_path_factory.mktemp("loops")
    return folder, ran(folder, request.config, LOOPS)


@pytest.mark.soak
@pytest.mark.parametrize("case", LOOPS)
def test_a_killed_loop_ends_as_an_unbroken_one(killed: tuple[Path, dict[str, Trainings]], case: str) -> None:
    require_equal(killed[0], case, killed[1][case])
