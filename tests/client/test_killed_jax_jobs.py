"""A fit() of Keras on JAX, killed as tests/client/test_killed_jobs.py has it on TensorFlow."""

import pytest

from tests.client.test_killed_jobs import FIT, Killed, require_equal, trainings_of

killed = trainings_of("jax", FIT, "--jax")


@pytest.mark.soak
@pytest.mark.parametrize("case", FIT)
def test_a_killed_fit_on_jax_ends_as_an_unbroken_one(killed: Killed, case: str) -> None:
    require_equal(killed[0], case, killed[1][case])
