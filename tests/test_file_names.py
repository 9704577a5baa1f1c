"""What a checkpoint's name says of its step and epoch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.formats.file_names import metric_from_name, number_from_name
from waypoint_resume.names import epoch_from_name


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("model.ckpt-100", 100),
        ("ckpt-7", 7),
        ("cp-0004-0.285.keras", 4),
        ("cp-0004.ckpt", 4),
        ("cp-0004.weights.h5", 4),
        ("weights.05-1.25.hdf5", 5),
        ("05.h5", 5),
        ("2000", 2000),
        ("ckpt-20240131", None),
        ("ckpt-20241331", 20241331),
        ("run-1700000000", None),
        ("ckpt_12", 12),
        ("step=300.ckpt", 300),
        ("step 300", 300),
        ("a-1-2", 2),
        ("ckpt-1.5", None),
        ("v2model", None),
        ("lr1e-4", None),
        ("model-1.5E-3.keras", None),
        ("lr1e-4-ckpt-12", 12),
        ("mnist3", None),
        ("best", None),
        ("", None),
        ("ckpt-" + "9" * 200, None),
    ],
)
def test_a_number_that_stands_by_itself(name: str, number: int | None) -> None:
    assert number_from_name(name) == number


@pytest.mark.parametrize(
    ("name", "epoch"),
    [
        ("epoch-03", 3),
        ("weights.epoch_12.h5", 12),
        ("model_epoch=7", 7),
        ("e12", 12),
        ("ep5.keras", 5),
        ("Epoch10-loss0.5.h5", 10),
        ("EPOCH-4.weights.h5", 4),
        ("ckpt-7", None),
        ("lr1e-4", None),
        ("1e-3", None),
        ("model-lr1e-4.keras", None),
        ("lr1e-4_epoch-12.weights.h5", 12),
        ("best2e5", None),
        ("best", None),
        ("model7", None),
        ("epoch", None),
        ("epoch-1.5", None),
        ("", None),
        ("epoch-" + "9" * 30, None),
        ("epoch-" + "9" * 240 + ".h5", None),
    ],
)
def test_the_number_behind_the_word_epoch(name: str, epoch: int | None) -> None:
    assert epoch_from_name(name) == epoch


@given(st.text(max_size=60), st.integers(0, 10**60))
def test_any_name_gives_a_number_that_databases_hold_or_none(text: str, number: int) -> None:
    for name in (text, f"{text}-{number}", f"{text}_epoch_{number}{text}"):
        for found in (number_from_name(name), epoch_from_name(name)):
            assert found is None or 0 <= found < 2**31


@given(st.integers(0, 9_999_999))
def test_the_step_in_a_usual_name_is_found(step: int) -> None:
    assert number_from_name(f"model.ckpt-{step}") == step
    assert epoch_from_name(f"weights.epoch-{step:03d}.h5") == step


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("cp-0004-0.285.keras", ("metric", 0.285)),
        ("weights.05-1.25.hdf5", ("metric", 1.25)),
        ("w.05-0.31.weights.h5", ("metric", 0.31)),
        ("cp-04--0.31.h5", ("metric", -0.31)),
        ("e12-0.3", ("metric", 0.3)),
        ("lr1e4-0.5", None),
        ("weights.05-val_loss-0.31.h5", ("val_loss", 0.31)),
        ("model_acc=0.91.keras", ("acc", 0.91)),
        ("epoch=3-val_loss=0.28.ckpt", ("val_loss", 0.28)),
        ("Epoch10-Loss0.5.h5", ("loss", 0.5)),
        ("05-loss0.40-val_loss0.31.keras", ("val_loss", 0.31)),
        ("05-val_mean_iou_0.7", ("val_mean_iou", 0.7)),
        ("val_loss-1.2e-05.h5", ("val_loss", 1.2e-05)),
        ("lr-0.001.h5", None),
        ("resnet-v2.1.keras", None),
        ("ckpt-1.5", None),
        ("1.2.3", None),
        ("10-0.5-0.6", None),
        ("loss-1.5e999", None),
        ("gloss0.4", None),
        ("mobilenet_1.00_224.h5", None),
        ("model.ckpt-100", None),
        ("", None),
    ],
)
def test_the_metric_in_a_name(name: str, metric: tuple[str, float] | None) -> None:
    assert metric_from_name(name) == metric


@given(st.text(max_size=40), st.floats(0, 1e6))
def test_any_name_gives_a_finite_metric_or_none(text: str, value: float) -> None:
    for name in (text, f"{text}{value}", f"{text}loss{value}{text}", f"{text}-3-{value}"):
        found = metric_from_name(name)
        assert found is None or abs(found[1]) < 1e300


@given(st.integers(0, 9_999), st.integers(0, 99_999))
def test_the_metric_of_a_usual_name_is_found(epoch: int, value: int) -> None:
    assert metric_from_name(f"cp-{epoch:04d}-{value / 1000:.3f}.keras") == ("metric", value / 1000)
