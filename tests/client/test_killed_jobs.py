"""A fit() with six callbacks, killed with -9 at random moments: it ends as if nothing had happened, bit for bit."""

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.jobs import job_server

JOBS = Path(__file__).with_name("killed_jobs.py")
HERE = Path(__file__).parents[2]
KILLS, SOAK_KILLS = 20, 100  # of each case, without and with --soak
PATIENCE_S = 7_200.0
FIT = [f"fit:{way}{manifest}" for way in ("callback", "resume", "launched") for manifest in ("", ":manifest")]
Trainings = list[dict[str, Any]]
Killed = tuple[Path, dict[str, Trainings]]


def ran(folder: Path, config: pytest.Config, cases: list[str], *options: str) -> dict[str, Trainings]:
    """What became of the trainings of each case."""
    seed = random.randrange(10**9)
    kills = SOAK_KILLS if config.getoption("--soak") else KILLS
    server = job_server("jax" if "--jax" in options else "keras")
    done = server.run(JOBS, folder, seed, kills, *cases, *options, folder=HERE, timeout=PATIENCE_S)
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-6000:]}"
    found: dict[str, Trainings] = json.loads(done.stdout)
    return found


def steps_of(folder: Path) -> dict[int, set[str]]:
    """The losses that a training noted for each step, in all of its lives."""
    found: dict[int, set[str]] = {}
    for line in (folder / "steps.txt").read_text().splitlines():
        step, _, losses = line.partition(" ")
        found.setdefault(int(step), set()).add(losses)
    return found


def require_equal(folder: Path, case: str, trainings: Trainings) -> None:
    """The killed trainings made the steps of the unbroken one, and ended with its values."""
    unbroken = folder / case.partition(":")[0] / "unbroken"
    assert sum(len(one["lives"]) for one in trainings) >= KILLS
    for killed in (Path(one["folder"]) for one in trainings):
        assert steps_of(killed) == steps_of(unbroken)
        assert json.loads((killed / "end.json").read_text()) == json.loads((unbroken / "end.json").read_text())
    assert bool(trainings[0]["picked"]) == case.endswith(":manifest")
    for one in trainings:
        files = [path for path in (Path(one["folder"]) / "run").rglob("*") if path.is_file()]
        contents = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        assert {name: digest for name, digest in one["picked"].items() if digest not in contents} == {}


def trainings_of(name: str, cases: list[str], *options: str) -> Callable[..., Killed]:
    """A fixture: the folder of the killed trainings of some cases, and what became of them."""

    @pytest.fixture(scope="module")
    def killed(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Killed:
        folder = tmp_path_factory.mktemp(name)
        return folder, ran(folder, request.config, cases, *options)

    return killed


killed = trainings_of("fit", FIT)


@pytest.mark.soak
@pytest.mark.parametrize("case", FIT)
def test_a_killed_fit_ends_as_an_unbroken_one(killed: Killed, case: str) -> None:
    require_equal(killed[0], case, killed[1][case])
