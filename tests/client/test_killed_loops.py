"""Loops of their own, killed as tests/client/test_killed_jobs.py has it: a manager, the DCGAN tutorial, two workers."""

import pytest

from tests.client.test_killed_jobs import Killed, require_equal, trainings_of

LOOPS = [f"{job}:resume{manifest}" for job in ("manager", "dcgan", "workers") for manifest in ("", ":manifest")]

killed = trainings_of("loops", LOOPS)


@pytest.mark.soak
@pytest.mark.parametrize("case", LOOPS)
def test_a_killed_loop_ends_as_an_unbroken_one(killed: Killed, case: str) -> None:
    require_equal(killed[0], case, killed[1][case])
