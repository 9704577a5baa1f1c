"""How people name checkpoints, and what each name tells: step, epoch, metric, moment, and what its series share."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waypoint_resume.file_names import read_name
from waypoint_resume.moments import in_one_year, moments_in


def at(*parts: int) -> datetime:
    """A moment as names tell it, without a zone."""
    return datetime(*parts)  # type: ignore[arg-type] # noqa: DTZ001


Habit = tuple[str, str, int | None, int | None, tuple[str, float] | None]
NOTHING = (None, None, None)

# What tells that it counts: a word beside the number. Source: who makes such names, where a library does.
WORDS: dict[str, Habit] = {
    "keras-epoch": ("epoch-03.weights.h5", "epoch-#", None, 3, None),
    "keras-epoch-and-loss": ("weights.05-val_loss-0.31.h5", "weights.#-val_loss-#", None, None, ("val_loss", 0.31)),
    "lightning": ("epoch=3-step=900-val_loss=0.28.ckpt", "epoch=#-step=#-val_loss=#.ckpt", 900, 3, ("val_loss", 0.28)),
    "gluon": ("Epoch10-Loss0.5.h5", "Epoch#-Loss#", None, 10, ("loss", 0.5)),
    "e": ("model_e12.h5", "model_e#", None, 12, None),
    "ep": ("yolo-ep100-loss13.4-val_loss12.9.h5", "yolo-ep#-loss#-val_loss#", None, 100, ("val_loss", 12.9)),
    "word-behind": ("model_10_epochs.h5", "model_#_epochs", None, 10, None),
    "word-behind-at-once": ("lstm_50epochs.keras", "lstm_#", None, 50, None),
    "epoch-and-batch": ("epoch-03-0040.keras", "epoch-#-#", None, 3, None),
    "epoch-colon": ("epochs:010-val_acc:0.920.hdf5", "epochs:#-val_acc:#", None, 10, ("val_acc", 0.92)),
    "caffe-iter": ("vgg16_faster_rcnn_iter_70000.ckpt", "vgg16_faster_rcnn_iter_#.ckpt", 70000, None, None),
    "iter-and-whole-loss": ("iter_1000_loss_0", "iter_#_loss_#", 1000, None, ("loss", 0.0)),
    "step-k": ("step100k.h5", "step#", 100_000, None, None),
    "step-m": ("step_1.5M", "step_#", 1_500_000, None, None),
    "step-with-an-exponent": ("step-2.5e6", "step-#", 2_500_000, None, None),
    "iter-with-an-exponent": ("iter_1e5.ckpt", "iter_#.ckpt", 100_000, None, None),
    "thousands-by-commas": ("step1,000.keras", "step#", 1000, None, None),
    "millions-by-commas": ("iter_1,500,000", "iter_#", 1_500_000, None, None),
    "thousands-as-python-writes-them": ("step_12_500.weights.h5", "step_#", 12_500, None, None),
    "thousands-by-apostrophes": ("step-1'500", "step-#", 1500, None, None),
    "a-batch-of-three-digits": ("epoch_1_000.h5", "epoch_#_#", None, 1, None),
    "k-and-a-word-behind": ("ppo_10k_steps.keras", "ppo_#_steps", 10_000, None, None),
    "k-and-a-word-at-once": ("sac_100ksteps.h5", "sac_#", 100_000, None, None),
    "m-and-a-word-behind": ("rl_model_2M-steps", "rl_model_#-steps", 2_000_000, None, None),
    "half-an-m-and-a-word-behind": ("dqn_0.5M_steps", "dqn_#_steps", 500_000, None, None),
    "an-exponent-and-a-word-behind": ("ddpg_1e6_steps.h5", "ddpg_#_steps", 1_000_000, None, None),
    "epoch-and-batch-letters": ("e03b0040.h5", "e#b0040", None, 3, None),
    "flax": ("checkpoint_step_20240101", "checkpoint_step_#", 20240101, None, None),
    "global-step": ("bert_global_step-9000", "bert_global_step-#", 9000, None, None),
    "update": ("agent_update=250", "agent_update=#", 250, None, None),
    "of": ("epoch-3-of-10.h5", "epoch-#-of-10", None, 3, None),
    "fold-and-epoch": ("fold2_epoch3_auc0.91.h5", "fold2_epoch#_auc#", None, 3, ("auc", 0.91)),
    "f1": ("best_val_f1-0.8_epoch-3.h5", "best_val_f1-#_epoch-#", None, 3, ("val_f1", 0.8)),
}
# What has no word: nothing by itself, whatever it looks like. Its series decides.
UNWORDED: dict[str, Habit] = {
    "tf1-saver": ("model.ckpt-100", "model.ckpt-#", *NOTHING),
    "tf2-manager": ("ckpt-7", "ckpt-#", *NOTHING),
    "tf-tutorial": ("cp-0004.ckpt", "cp-#.ckpt", *NOTHING),
    "keras-documented": ("weights.10-0.31.hdf5", "weights.#-#", None, None, ("metric", 0.31)),
    "keras-behind-a-model": ("vgg16.05-0.31.h5", "vgg16.#-#", None, None, ("metric", 0.31)),
    "keras-behind-a-day": ("weights0115.10-0.31.hdf5", "weights#.#-#", None, None, ("metric", 0.31)),
    "keras-negative": ("cp-04--0.31.h5", "cp-#--#", None, None, ("metric", -0.31)),
    "keras-epoch-batch": ("w-03-0040.keras", "w-#-#", *NOTHING),
    "object-detection": ("ckpt-0", "ckpt-#", *NOTHING),
    "model-garden": ("ctl_step_100.ckpt-3", "ctl_step_#.ckpt-#", 100, None, None),
    "deep-speech": ("best_dev-233784", "best_dev-#", *NOTHING),
    "t5x": ("checkpoint_1000000", "checkpoint_#", *NOTHING),
    "t5": ("model.ckpt-1000000", "model.ckpt-#", *NOTHING),
    "improved-gan": ("G_10000", "G_#", *NOTHING),
    "of-a-total": ("ckpt-1000-of-5000", "ckpt-#-of-5000", *NOTHING),
    "thousands": ("100k.ckpt", "#.ckpt", *NOTHING),
    "thousands-and-a-half": ("policy_1.5k.h5", "policy_#", *NOTHING),
    "commas-without-a-word": ("model-12,500.keras", "model-#", *NOTHING),
    "list-of-sizes": ("mlp-64,32.h5", "mlp-#,#", *NOTHING),
    "browser-copy": ("ckpt-2 (1)", "ckpt-# (1)", *NOTHING),
    "finder-copy": ("cp-0004 copy 2.h5", "cp-# copy 2", *NOTHING),
    "attached": ("model3.h5", "model#", *NOTHING),
    "only-a-number": ("05.h5", "#", *NOTHING),
    "width": ("unet-256.h5", "unet-#", *NOTHING),
    "depth": ("resnet_50.keras", "resnet_#", *NOTHING),
    "wide-resnet": ("wide_resnet-28-10", "wide_resnet-#-#", *NOTHING),
    "metric-as-a-name": (
        "checkpoint_-0.1963287144",
        "checkpoint_-#",
        None,
        None,
        ("metric", -0.1963287144),
    ),
    "fraction": ("ckpt-1.5", "ckpt-#", *NOTHING),
}
# Numbers that are parts of a name: another value is another training.
IDENTITIES: dict[str, Habit] = {
    "architecture": ("vgg16.h5", "vgg16", *NOTHING),
    "block": ("efficientnetb0.keras", "efficientnetb0", *NOTHING),
    "bert": ("bert-base-12L-768H-12A", "bert-base-12L-768H-12A", *NOTHING),
    "image-size": ("pspnet_224x224.h5", "pspnet_224x224", *NOTHING),
    "mobilenet": ("mobilenet_v2_1.00_224.h5", "mobilenet_v2_#_#", *NOTHING),
    "fold": ("fold_3.h5", "fold_3", *NOTHING),
    "k-fold": ("best_model_5fold.h5", "best_model_5fold", *NOTHING),
    "seed": ("seed7-ckpt-10", "seed7-ckpt-#", *NOTHING),
    "trial": ("trial_0001", "trial_0001", *NOTHING),
    "rank": ("rank0-ckpt-10", "rank0-ckpt-#", *NOTHING),
    "part": ("part-1-ckpt-10", "part-1-ckpt-#", *NOTHING),
    "worker": ("worker_2.ckpt-8", "worker_2.ckpt-#", *NOTHING),
    "version": ("v2_model.keras", "v2_model", *NOTHING),
    "version-with-a-point": ("resnet-v2.1.keras", "resnet-v2.1", *NOTHING),
    "three-part-version": ("model-1.2.3.h5", "model-1.2.3", *NOTHING),
    "learning-rate": ("lr0.001-ckpt-10", "lr0.001-ckpt-#", *NOTHING),
    "learning-rate-e": ("lr1e-4-ckpt-12", "lr1e-4-ckpt-#", *NOTHING),
    "batch-size": ("batch_size_32-epoch-4.h5", "batch_size_32-epoch-#", None, 4, None),
    "hidden-units": ("lstm_units128_dropout0.5.h5", "lstm_units128_dropout0.5", *NOTHING),
    "data-set": ("cifar10_best.h5", "cifar10_best", *NOTHING),
    "shard": ("model-00001-of-00005", "model-00001-of-00005", *NOTHING),
    "hash": ("model-a1b2c3d4.h5", "model-a1b2c3d4", *NOTHING),
    "hash-like-an-epoch": ("e5f3a7.keras", "e5f3a7", *NOTHING),
    "uuid": ("m-3fa85f64-5717-4562-b3fc-2c963f66afa6", "m-3fa85f64-5717-4562-b3fc-2c963f66afa6", *NOTHING),
}
HABITS = WORDS | UNWORDED | IDENTITIES


@pytest.mark.parametrize("habit", HABITS.values(), ids=HABITS)
def test_what_a_name_tells(habit: Habit) -> None:
    name, stem, step, epoch, metric = habit
    found = read_name(name)
    assert (found.stem, found.step, found.epoch, found.metric) == (stem, step, epoch, metric)
    assert found.moment is None


DATES: dict[str, tuple[str, str, datetime]] = {
    "strftime": ("model_20240101-235901", "model_#", at(2024, 1, 1, 23, 59, 1)),
    "strftime-minutes": ("model_20240101-2359.h5", "model_#", at(2024, 1, 1, 23, 59)),
    "digits": ("20240101235901", "#", at(2024, 1, 1, 23, 59, 1)),
    "day": ("ckpt-20240131", "ckpt-#", at(2024, 1, 31)),
    "underscores": ("m_2024-01-01_23-59-01.keras", "m_#", at(2024, 1, 1, 23, 59, 1)),
    "all-underscores": ("Model___Date_Time_2023_01_02__03_04_05", "Model___Date_Time_#", at(2023, 1, 2, 3, 4, 5)),
    "iso": ("run-2024-01-01T23:59:01Z", "run-#", at(2024, 1, 1, 23, 59, 1)),
    "iso-with-a-zone": ("run-2024-01-01T23:59:01.25+0100", "run-#", at(2024, 1, 1, 23, 59, 1, 250000)),
    "str-of-datetime": ("2024-01-01 23:59:01.123456", "#", at(2024, 1, 1, 23, 59, 1, 123456)),
    "dots": ("model_2024.01.31", "model_#", at(2024, 1, 31)),
    "short-year": ("24-01-31", "#", at(2024, 1, 31)),
    "short-year-and-clock": ("240131-123045.h5", "#", at(2024, 1, 31, 12, 30, 45)),
    "day-first": ("model_31.12.2024", "model_#", at(2024, 12, 31)),
    "dashes-day-first": ("model-31-12-2024-23-59", "model-#", at(2024, 12, 31, 23, 59)),
    "tensorboard": ("Jan01_12-30-45_host", "#_host", at(1904, 1, 1, 12, 30, 45)),
    "month-word": ("unet_05Feb2024", "unet_#", at(2024, 2, 5)),
    "month-word-first": ("March_3_2021.h5", "#", at(2021, 3, 3)),
    "month": ("forecast_2019_8.h5", "forecast_#", at(2019, 8, 1)),
    "month-padded": ("forecast-2019-08.h5", "forecast-#", at(2019, 8, 1)),
    "month-before-year": ("forecast_08-2019.h5", "forecast_#", at(2019, 8, 1)),
    "seconds-since-1970": ("1582785290", "#", at(2020, 2, 27, 6, 34, 50)),
    "milliseconds": ("model1700000000250.h5", "model#", at(2023, 11, 14, 22, 13, 20, 250000)),
    "clock": ("best_17:05:30.h5", "best_#", at(1904, 1, 1, 17, 5, 30)),
    "iso-week": ("m_2024w51.weights.h5", "m_#", at(2024, 12, 16)),
    "iso-week-and-day": ("m_2024-W51-3", "m_#", at(2024, 12, 18)),
    "iso-week-digits": ("m_2024W513", "m_#", at(2024, 12, 18)),
    "first-week": ("m_2025w01.keras", "m_#", at(2024, 12, 30)),
    "week-in-words": ("forecast_2024_week_3.h5", "forecast_#", at(2024, 1, 15)),
    "calendar-week": ("m_2024-kw05.h5", "m_#", at(2024, 1, 29)),
    "short-year-week": ("m_24w05.h5", "m_#", at(2024, 1, 29)),
    "ordinal": ("m_2024-032.weights.h5", "m_#", at(2024, 2, 1)),
    "ordinal-underscore": ("m_2024_366", "m_#", at(2024, 12, 31)),
    "quarter": ("sales_2024Q4.h5", "sales_#", at(2024, 10, 1)),
    "quarter-first": ("sales_Q1-2024.h5", "sales_#", at(2024, 1, 1)),
    "basic-iso": ("20240101T235901Z.h5", "#", at(2024, 1, 1, 23, 59, 1)),
    "d-and-t": ("d20240101_t1200.keras", "d#", at(2024, 1, 1, 12)),
    "small-t": ("m_20240101t120030.keras", "m_#", at(2024, 1, 1, 12, 0, 30)),
    "month-word-at-once": ("Jan31.h5", "#", at(1904, 1, 31)),
    "day-month-word": ("m_31Jan.h5", "m_#", at(1904, 1, 31)),
    "year-month": ("m_2024_01.keras", "m_#", at(2024, 1, 1)),
    "afternoon": ("model_2023_03_05-11_07_09_PM", "model_#", at(2023, 3, 5, 23, 7, 9)),
    "noon": ("model_2023_03_05-12_07_09_PM", "model_#", at(2023, 3, 5, 12, 7, 9)),
    "midnight": ("m-20240101-1205am", "m-#", at(2024, 1, 1, 0, 5)),
    "clock-with-h": ("best_17h05.h5", "best_#", at(1904, 1, 1, 17, 5)),
    "time-time": ("m_1582785290.25.h5", "m_#", at(2020, 2, 27, 6, 34, 50, 250000)),
    "resnet": ("resnet50_20240115-103022.weights.h5", "resnet50_#", at(2024, 1, 15, 10, 30, 22)),
}


@pytest.mark.parametrize(("name", "stem", "moment"), DATES.values(), ids=DATES)
def test_a_date_or_clock_is_a_moment_and_counts_nothing(name: str, stem: str, moment: datetime) -> None:
    found = read_name(name)
    assert (found.stem, found.moment) == (stem, moment)
    assert (found.step, found.epoch, found.metric) == NOTHING


@pytest.mark.parametrize(
    "name",
    [
        "ckpt-20241331",
        "dec_10.h5",
        "march-9",
        "w-03-0040",
        "model-5-10-12-24",
        "ckpt-2024",
        "1.10.2024.5",
        "v24-01-31",
        "m_2024w54",
        "m_2024-000",
        "m_2024-367",
        "m_2023-366",
        "model_q4_0",
        "m_12h_24",
        "gpt_12h12l",
        "model_2000-100",
        "Jan32",
    ],
)
def test_what_only_looks_like_a_date_is_none(name: str) -> None:
    assert moments_in(name) == []


def test_a_day_that_may_be_a_month_counts_nothing_and_orders_nothing() -> None:
    found = read_name("model_01-02-2024.h5")
    assert (found.stem, found.moment, found.step, found.epoch) == ("model_#", None, None, None)


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("model_acc=0.91.keras", ("acc", 0.91)),
        ("05-loss0.40-val_loss0.31.keras", ("val_loss", 0.31)),
        ("05-val_mean_iou_0.7", ("val_mean_iou", 0.7)),
        ("val_loss-1.2e-05.h5", ("val_loss", 1.2e-05)),
        ("reward_-250", ("reward", -250.0)),
        ("e12-0.3", ("metric", 0.3)),
        ("lr1e4-0.5", None),
        ("lr-0.001.h5", None),
        ("10-0.5-0.6", None),
        ("loss-1.5e999", None),
        ("gloss0.4", None),
        ("1.2.3", None),
    ],
)
def test_the_metric_in_a_name(name: str, metric: tuple[str, float] | None) -> None:
    assert read_name(name).metric == metric


@pytest.mark.parametrize(
    ("name", "stem"),
    [("w.weights.json", "w"), ("latest.weights.h5.bkp", "latest"), ("cp.ckpt", "cp.ckpt"), ("a#1.h5", "a##"), ("", "")],
)
def test_a_stem_leaves_out_the_formats_ending(name: str, stem: str) -> None:
    assert read_name(name).stem == stem


@pytest.mark.parametrize("name", ["best2e5", "lr1e-4", "epoch-1.5", "model7", "epoch", "epoch-" + "9" * 240 + ".h5"])
def test_no_epoch(name: str) -> None:
    assert read_name(name).epoch is None


PIECES = st.sampled_from(
    [
        "ckpt",
        "epoch",
        "step",
        "fold",
        "-",
        "_",
        ".",
        "=",
        "0.31",
        "20240101",
        "12-30-45",
        "10",
        "003",
        "5000",
        "k",
        "Jan",
    ]
)


@given(st.text(max_size=40) | st.lists(PIECES, max_size=10).map("".join))
def test_any_name_is_read_and_keeps_its_numbers_small(name: str) -> None:
    found = read_name(name)
    whole = found.stem_with(range(len(found.numbers)))
    assert whole.count("#") >= name.count("#") or "#" not in name
    for number in found.numbers:
        assert number.text in name
        assert not isinstance(number.value, int) or abs(number.value) < 1_000_000_000
    assert found.metric is None or abs(found.metric[1]) < 1e300


@given(st.integers(0, 999_999), st.integers(0, 99_999))
def test_usual_names_are_read_for_every_number(number: int, value: int) -> None:
    assert read_name(f"weights.epoch-{number:03d}.h5").epoch == number
    assert read_name(f"vgg_iter_{number}.ckpt").step == number
    assert read_name(f"cp-{number:04d}-{value / 1000:.3f}.keras").metric == ("metric", value / 1000)


@pytest.mark.parametrize(
    "name", ["iter_-1", "step_-1.h5", "epoch=-1.ckpt", "epoch--1", "ckpt_-1", "epoch=-1-step=0.ckpt"]
)
def test_a_number_below_zero_is_no_step_and_goes_before_all_others(name: str) -> None:
    found = read_name(name)
    later = read_name(name.replace("-1", "0", 1) if "=" in name or "_" in name else "epoch-0")
    assert found.epoch is None
    assert found.step == (0 if "step=0" in name else None)
    assert found.stem == later.stem
    assert found.order < later.order


@pytest.mark.parametrize(
    ("name", "step"), [("iter_2000-032", 2000), ("step-2024-032", 2024), ("step_2024-01-01", None)]
)
def test_a_word_in_front_makes_two_numbers_of_what_may_be_a_day_of_a_year(name: str, step: int | None) -> None:
    assert read_name(name).step == step


@given(st.datetimes(at(2015, 1, 1), at(2035, 12, 31)))
def test_every_week_and_every_day_of_a_year_is_read_back(moment: datetime) -> None:
    day = at(moment.year, moment.month, moment.day)
    for spelling in ("%Y-%j", "%Y_%j", "%G-W%V-%u", "%GW%V%u", "%Y-%m-%d_%I-%M-%S-%p"):
        found = read_name(f"model_{day.strftime(spelling)}.h5")
        assert (found.moment, found.step, found.epoch) == (day, None, None)


@given(st.datetimes(at(1990, 1, 1), at(2035, 12, 31)))
def test_every_moment_is_read_back_from_every_spelling(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    spellings = ["%Y%m%d-%H%M%S", "%Y-%m-%d_%H-%M-%S", "%Y-%m-%dT%H:%M:%SZ", "%Y%m%d%H%M%S", "%d.%m.%Y_%H-%M-%S"]
    for spelling in spellings:
        assert read_name(f"model_{moment.strftime(spelling)}.h5").moment == moment


def test_dates_without_a_year_go_on_over_new_year() -> None:
    december, january = at(1904, 12, 31), at(1904, 1, 2)
    turned = in_one_year([january, december])
    assert turned[december] < turned[january]
    assert in_one_year([at(2024, 1, 2), at(2023, 12, 31)])[at(2024, 1, 2)] == at(2024, 1, 2)
