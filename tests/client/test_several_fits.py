"""Scripts with several fit(), each counting from epoch 0, killed and started again: they end as unbroken ones do."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.config.settings import Settings
from core.resume.manifest import Mode
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace
from tests.support.jobs import job_server
from waypoint_resume import ResumeError, Waypoint
from waypoint_resume.fit_order import forget_order

JOB = Path(__file__).with_name("several_fits.py")
NAMES = ["one_waypoint", "own_waypoints", "fine_tuning", "two_models", "with_a_guard", "folds_left_out"]
NAMES += ["folds_of_one_name", "launched", "saved_by_hand", "saved_over_by_hand"]
X = np.linspace(-1, 1, 16, dtype="float32").reshape(8, 2)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Path, dict[str, Any]]:
    """Where every script was run, and after how many batches its lives were killed."""
    folder = tmp_path_factory.mktemp("scripts")
    seed = str(random.randrange(10**9)) if request.config.getoption("--soak") else "1"
    done = job_server("keras").run(JOB, folder / "runs", seed, *NAMES, timeout=1_800)
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-6000:]}"
    return folder / "runs", json.loads(done.stdout)


def steps_of(folder: Path) -> dict[str, set[str]]:
    """The losses that a script noted for each batch of each fit(), in all of its lives."""
    found: dict[str, set[str]] = {}
    for line in (folder / "steps.txt").read_text().splitlines():
        place, _, loss = line.rpartition(" ")
        found.setdefault(place, set()).add(loss)
    return found


@pytest.mark.parametrize("script", NAMES)
def test_a_killed_script_ends_as_an_unbroken_one(scripts: tuple[Path, dict[str, Any]], script: str) -> None:
    folder, kills = scripts[0] / script, scripts[1][script]
    assert len(kills) >= 2
    unbroken, killed = folder / "unbroken", folder / "killed"
    assert steps_of(killed) == steps_of(unbroken)
    assert json.loads((killed / "end.json").read_text()) == json.loads((unbroken / "end.json").read_text())


class KilledError(Exception):
    """Ends a training."""


def a_model() -> Any:  # noqa: ANN401 - Keras has no types
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def fit(model: Any, run: Path, dies_at: int | None = None, **waypoint: Any) -> list[int]:  # noqa: ANN401
    """Train three epochs, or up to the one in which it dies; which ones were begun."""
    begun: list[int] = []

    class Noted(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
            begun.append(epoch)
            if epoch == dies_at:
                raise KilledError

    callbacks = [keras.callbacks.ModelCheckpoint(run / "e-{epoch}.keras"), Noted(), Waypoint(run, **waypoint)]
    try:
        model.fit(X, X[:, :1], batch_size=4, epochs=3, verbose=0, callbacks=callbacks)
    except KilledError:
        assert dies_at is not None
    return begun


def test_without_the_end_of_the_fit_before_it_is_refused_and_the_way_out_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    forget_order()
    model = a_model()
    assert fit(model, tmp_path) == [0, 1, 2]
    assert fit(model, tmp_path, dies_at=2) == [0, 1, 2]
    kept = {path.name: path.read_bytes() for path in tmp_path.glob("*.keras")}
    forget_order()
    assert fit(a_model(), tmp_path, dies_at=0) == []  # the first is passed over
    shutil.rmtree(tmp_path / ".waypoint/fits")
    forget_order()
    with pytest.raises(ResumeError, match=r"saved in fit\(\) number 2 .* say so: Waypoint\(RUN, fit=2\)"):
        fit(a_model(), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.keras")} == kept
    forget_order()
    caplog.clear()
    again = a_model()
    assert fit(again, tmp_path, fit=2) == [2]
    assert int(again.optimizer.iterations) == 12
    assert "Restored e-2.keras, step 10" in caplog.text


def test_a_fork_of_a_later_fits_checkpoint_goes_on_in_its_place(tmp_path: Path) -> None:
    forget_order()
    run, fork = tmp_path / "runs/a", tmp_path / "runs/b"
    run.mkdir(parents=True)
    model = a_model()
    assert fit(model, run) == [0, 1, 2]
    assert fit(model, run, dies_at=2) == [0, 1, 2]
    workspace = Workspace.open(Settings(roots=(str(run.parent),), home=tmp_path / "home", actor="ada"))
    workspace.refresh()
    found = workspace.find_run(run.name)
    [picked] = [item for item in workspace.members(found.root, found.path) if item.path.endswith("e-1.keras")]
    proposal = propose(workspace, picked, Mode.FORK)
    accepted = [warning.id for warning in proposal.warnings]
    resume_from(workspace, picked, proposal, note="", accepted=accepted, fork_name=fork.name)
    workspace.close()
    again = a_model()
    assert fit(again, fork) == []
    assert int(again.optimizer.iterations) == 6
    assert fit(again, fork) == [1, 2]
    assert int(again.optimizer.iterations) == 12


def test_a_state_of_a_former_version_counts_as_the_first_fits(tmp_path: Path) -> None:
    forget_order()
    assert fit(a_model(), tmp_path, dies_at=2) == [0, 1, 2]
    for path in (tmp_path / ".waypoint/state").glob("*.json"):
        record = json.loads(path.read_text())
        if "state" in record:
            assert record["state"].pop("fit")
            path.write_text(json.dumps(record))
    forget_order()
    assert fit(a_model(), tmp_path) == [2]
