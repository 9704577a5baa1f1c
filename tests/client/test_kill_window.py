"""A checkpoint whose state a kill left out goes behind the one before; what was trained without states counts."""

import contextlib
from pathlib import Path

import keras
import numpy as np
import pytest

from core.config.settings import Settings
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace
from waypoint_resume import Waypoint
from waypoint_resume.checkpoints import Found
from waypoint_resume.kill_window import prefer_kept

KEEPING = {"since": "2026-01-01T00:00:10Z"}
BEGAN = 1767225610.0


def found(name: str, after: float) -> Found:
    return Found(name, "keras", BEGAN + after)


E1, E2, E3, E4 = (found(f"e-{number}.keras", number) for number in (1, 2, 3, 4))
BEST4 = found("best.keras", 4.1)


@pytest.mark.parametrize(
    ("items", "kept", "keeping", "first"),
    [
        ([E3, E2, E1], {E1.path, E2.path}, KEEPING, E2),
        ([BEST4, E4, E3], {E3.path}, KEEPING, E3),
        ([E4, E3, E2], {E2.path}, KEEPING, E4),
        ([E3, E2, E1], {E2.path}, None, E3),
        ([E3, E2, E1], {E2.path}, {}, E3),
        ([E3, E2, E1], set(), KEEPING, E3),
        ([E3, E2], {E3.path}, KEEPING, E3),
        ([found("e-9.keras", -5), E1], {E1.path}, KEEPING, found("e-9.keras", -5)),
        ([], set(), KEEPING, None),
    ],
    ids=["one", "two-savers", "two-moments", "ended", "unreadable", "no-states", "kept", "older", "none"],
)
def test_which_goes_first(
    items: list[Found], kept: set[str], keeping: dict[str, object] | None, first: Found | None
) -> None:
    ordered, told = prefer_kept(items, keeping, lambda item: item.path in kept)
    assert (ordered[0] if ordered else None) == first
    assert sorted(item.path for item in ordered) == sorted(item.path for item in items)
    assert bool(told) is (bool(items) and first != items[0])


class KilledError(Exception):
    """Ends a training."""


def trained(run: Path, epochs: int, *, dies: str = "") -> list[str]:
    """Train up to so many epochs; where each one began. It dies at a batch's begin (before any save) or at the end."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    begun: list[str] = []

    class Noted(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
            begun.append(str(epoch))

        def on_train_batch_begin(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
            if dies == "at once":
                raise KilledError

        def on_train_end(self, logs: object = None) -> None:  # noqa: ARG002
            if dies == "at the end":
                raise KilledError

    log = keras.callbacks.CSVLogger(f"{run}/log.csv")
    callbacks = [Noted(), log, keras.callbacks.ModelCheckpoint(f"{run}/e-{{epoch}}.keras"), Waypoint(run)]
    x = np.ones((8, 2), np.float32)
    with contextlib.suppress(KilledError):
        model.fit(x, x[:, :1], batch_size=4, epochs=epochs, verbose=0, callbacks=callbacks)
    return begun


def lose_newest_state(run: Path) -> None:
    """As a kill right after the last save leaves it."""
    states = (run / ".waypoint/state").glob("????????????????????????????????.json")
    max(states, key=lambda path: path.stat().st_mtime_ns).unlink()


def hand_over(run: Path, name: str) -> None:
    """Hand a checkpoint over with the dashboard's own code."""
    workspace = Workspace.open(Settings(roots=(str(run.parent),), home=run.parent / "home", actor="ada"))
    workspace.refresh()
    found = workspace.find_run(run.name)
    [picked] = [item for item in workspace.members(found.root, found.path) if item.path == f"{run.name}/{name}"]
    proposal = propose(workspace, picked)
    resume_from(workspace, picked, proposal, note="", accepted=[warning.id for warning in proposal.warnings])
    workspace.close()


@pytest.mark.parametrize("manifest", ["no manifest", "claimed after", "claimed before"])
def test_after_kills_between_save_and_state_and_before_any_save_a_fit_goes_on_from_the_save_before(
    tmp_path: Path, manifest: str
) -> None:
    run = tmp_path / "runs" / "run"
    run.mkdir(parents=True)
    if manifest == "claimed before":
        assert trained(run, 1, dies="at the end") == ["0"]
        hand_over(run, "e-1.keras")
    assert trained(run, 2, dies="at the end")[-1] == "1"
    if manifest == "claimed after":
        hand_over(run, "e-2.keras")
    assert trained(run, 3, dies="at the end")[-1] == "2"
    lose_newest_state(run)
    for _ in range(2):  # the first of these that is killed too knows only by what it found that a state is missing
        assert trained(run, 4, dies="at once") == ["2"]
    assert trained(run, 4) == ["2", "3"]
    assert not (run / ".waypoint/state/keeping.json").exists()
    rows = (run / "log.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["epoch", "0", "1", "2", "3"]
