"""A metric's value at a checkpoint: by which way it is found, of which attempt, and where nothing is said."""

import math

import numpy as np
import pytest

from core.base.direction import Direction
from core.metrics.at_checkpoint import ValueAt, Way, value_at, values_until
from core.metrics.best import best_of
from core.metrics.curves import Curve, Track, curve_of
from core.metrics.metric_names import metric_name
from core.metrics.records import XKind
from core.metrics.saved_at import SavedAt

START = 1_700_000_000.0


def track(
    x: list[int],
    values: list[float],
    *,
    wall: float | None = START,
    path: str = "log.csv",
    source: str = "csv",
    kind: XKind = XKind.STEP,
) -> Track:
    """Points that were written one a minute, from a time on (None: no times)."""
    times = [math.nan] * len(x) if wall is None else [wall + 60 * place for place in range(len(x))]
    return Track(
        path=path,
        source=source,
        tag="loss",
        x_kind=kind,
        count=len(x),
        x=np.array(x, np.int64),
        wall_time=np.array(times, np.float64),
        values=np.array(values, np.float64),
    )


def curve(*tracks: Track) -> Curve:
    found = curve_of("loss", tracks)
    assert found is not None
    return found


def at(saved: SavedAt, found: Curve | None) -> tuple[float, Way] | None:
    value = value_at("loss", saved, found)
    return None if value is None else (value.value, value.way)


STEPS = track([10, 20, 30], [0.9, 0.5, 0.25])
EPOCHS_FROM_0 = track([0, 1, 2], [0.9, 0.5, 0.25], kind=XKind.EPOCH)
EPOCHS_FROM_1 = track([1, 2, 3], [0.9, 0.5, 0.25], kind=XKind.EPOCH)


@pytest.mark.parametrize(
    ("saved", "told", "expected"),
    [
        (SavedAt(step=20, recorded=(("loss", 0.125),)), STEPS, (0.125, Way.RECORDED)),
        (SavedAt(step=20, time=START + 1_000), STEPS, (0.5, Way.SAME_STEP)),
        (SavedAt(epochs_done=2), EPOCHS_FROM_0, (0.5, Way.SAME_EPOCH)),
        (SavedAt(epochs_done=2), EPOCHS_FROM_1, (0.5, Way.SAME_EPOCH)),
        (SavedAt(step=25, time=START + 90), STEPS, (0.5, Way.LAST_BEFORE)),
        (SavedAt(time=START + 90), EPOCHS_FROM_0, (0.5, Way.LAST_BEFORE)),
        (SavedAt(step=25), track([10, 20, 30], [0.9, 0.5, 0.25], wall=None), (0.5, Way.LAST_BEFORE)),
        (SavedAt(step=5, named=("loss", 0.75)), STEPS, (0.75, Way.NAME)),
        (SavedAt(named=("val_loss", 0.75)), None, None),
        (SavedAt(time=START - 1), STEPS, None),
        (SavedAt(time=START + 1e6), STEPS, None),  # the time of a copy
    ],
    ids=[
        "recorded",
        "step",
        "epoch from 0",
        "epoch from 1",
        "time",
        "time of epochs",
        "step before",
        "name",
        "another name",
        "too early",
        "copied",
    ],
)
def test_the_way_that_is_to_be_trusted_most_is_taken(
    saved: SavedAt, told: Track | None, expected: tuple[float, Way] | None
) -> None:
    assert at(saved, None if told is None else curve(told)) == expected


def test_a_step_that_was_written_twice_is_of_the_attempt_that_saved_it() -> None:
    twice = curve(STEPS, track([20, 30, 40], [0.6, 0.3, 0.1], wall=START + 1_000, path="log2.csv"))
    assert [branch.x.tolist() for branch in twice.branches] == [[10, 20, 30], [20, 30, 40]]
    assert at(SavedAt(step=20, time=START + 61), twice) == (0.5, Way.SAME_STEP)
    assert at(SavedAt(step=20, time=START + 1_001), twice) == (0.6, Way.SAME_STEP)
    timeless = curve(track([10, 20, 30, 20, 30], [0.9, 0.5, 0.25, 0.6, 0.3], wall=None))
    assert [at(SavedAt(step=20, attempt=one, attempts=2), timeless) for one in (1, 2)] == [
        (0.5, Way.SAME_STEP),
        (0.6, Way.SAME_STEP),
    ]


def test_the_best_so_far_is_of_the_points_that_led_there() -> None:
    twice = curve(track([10, 20, 30, 20, 30], [0.9, 0.5, 0.125, 0.6, 0.3], wall=None))
    found = value_at("loss", SavedAt(step=30, attempt=2, attempts=2), twice)
    assert found is not None
    assert sorted(values_until(twice, found)) == [0.3, 0.6, 0.9]  # what was written after the place gone back to is not


def test_a_file_that_goes_on_where_another_ended_makes_no_branch_and_several_tools_one_curve() -> None:
    on = curve(STEPS, track([40, 50], [0.2, 0.1], wall=START + 1_000, path="log2.csv"))
    assert [branch.attempt for branch in on.branches] == [1]
    other = track([0, 1], [0.9, 0.25], kind=XKind.EPOCH, source="other")
    assert curve_of("loss", [other, STEPS]) is not None
    assert curve(other, STEPS).source == "csv"  # it counts steps
    assert curve(track(list(range(9)), [0.5] * 9, kind=XKind.EPOCH, source="other"), STEPS).source == "other"


def test_of_equal_values_the_checkpoints_own_counts_and_then_the_newest() -> None:
    ways = {"a": Way.SAME_STEP, "b": Way.SAME_STEP, "c": Way.LAST_BEFORE}
    values = {key: ValueAt(tag="loss", value=0.5, way=way) for key, way in ways.items()}
    assert best_of(values, Direction.MIN, "abc") == "b"
    assert best_of({"a": ValueAt(tag="loss", value=math.nan, way=Way.NAME)}, Direction.MIN, "a") is None


@pytest.mark.parametrize(
    ("path", "tag", "name"),
    [
        ("r/logs/train/events.out.tfevents.1.host", "epoch_loss", "loss"),
        ("r/logs/20240501-120000/validation/events.out.tfevents.1.host", "epoch_loss", "val_loss"),
        ("r/logs/validation/events.out.tfevents.1.host", "evaluation_loss", "validation/evaluation_loss"),
        ("r/eval/events.out.tfevents.1.host", "loss", "eval/loss"),
        ("r/training.csv", "loss", "loss"),
        ("r/valid.csv", "loss", "valid/loss"),
        ("r/lightning_logs/version_3/metrics.csv", "train_loss", "train_loss"),
        ("r/actor/log.csv", "loss", "actor/loss"),
        ("r/metrics/val_loss", "val_loss", "val_loss"),
        ("r/metrics/train/loss", "train/loss", "train/loss"),
    ],
)
def test_a_metric_is_called_as_its_job_called_it_and_as_folders_tell(path: str, tag: str, name: str) -> None:
    assert metric_name("r", path, tag) == name
    assert metric_name(".", path.removeprefix("r/"), tag) == name
