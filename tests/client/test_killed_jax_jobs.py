"""Keras on JAX killed with -9 at random moments: as tests/client/test_killed_jobs.py has it on TensorFlow."""

from pathlib import Path
from typing import Any

import pytest

from tests.client.test_killed_jobs import WAYS, ran, require_equal

JAX = [f"fit:{way}{manifest}" for way in WAYS["fit"] for manifest in ("", ":manifest")]


@pytest.fixture(scope="module")
def jax(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Path, dict[str, Any]]:
    """The same on JAX."""
    folder = tmp_path_factory.mktemp("jax")
    more = 10 if request.config.getoption("--soak") else 1
    return folder, ran(folder, more, JAX, "--jax")


@pytest.mark.soak
@pytest.mark.parametrize("case", JAX)
def test_a_killed_job_ends_as_an_unbroken_one_on_jax(jax: tuple[Path, dict[str, Any]], case: str) -> None:
    require_equal(jax[0], case, jax[1])
