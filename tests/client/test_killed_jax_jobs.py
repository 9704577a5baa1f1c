"""A fit() of Keras on JAX, killed as tests/client/test_killed_jobs.py has it on TensorFlow."""

from pathlib import Path

import pytest

from tests.client.test_killed_jobs import FIT, Trainings, ran, require_equal


@pytest.fixture(scope="module")
def killed(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[Path, dict[str, Trainings]]:
    """The folder of the trainings, and what became of them."""
    folder = tmp_path_factory.mktemp("jax")
    return folder, ran(folder, request.config, FIT, "--jax")


@pytest.mark.soak
@pytest.mark.parametrize("case", FIT)
def test_a_killed_fit_on_jax_ends_as_an_unbroken_one(killed: tuple[Path, dict[str, Trainings]], case: str) -> None:
    require_equal(killed[0], case, killed[1][case])
