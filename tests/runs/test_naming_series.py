"""Names of a whole series: what is one training, in which order, and what its numbers count."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.facts import EPOCH_BY_STEPS, NUMBER_FROM_0, NUMBER_IN_NAME, Format, Sourced
from core.base.records import EPOCH_IN_NAME, Checkpoint, SavedAtSource
from core.resume import restoring
from core.runs.series import arrange
from tests.support.trees import a_member

KERAS = Format.WEIGHTS_H5
Member = tuple[str, int | None, float]  # name, step of the content, minute of the save


def members(*items: str | Member, form: Format = Format.TF_BUNDLE) -> list[Checkpoint]:
    """Checkpoints saved ten minutes after each other, or as told."""
    told = [item if isinstance(item, tuple) else (item, None, 10.0 * place) for place, item in enumerate(items)]
    return [a_member(name, step=step, minute=minute, form=form) for name, step, minute in told]


def names(series: Sequence[Checkpoint]) -> list[str]:
    return [item.path.rpartition("/")[2] for item in series]


COPIED = SavedAtSource.MTIME
HABITS: dict[str, tuple[list[Checkpoint], list[list[str]]]] = {
    "worded-folds": (
        members("fold2-ckpt-1", "fold2-ckpt-2", "fold10-ckpt-1"),
        [["fold10-ckpt-1"], ["fold2-ckpt-1", "fold2-ckpt-2"]],
    ),
    "fold-behind": (
        members("ckpt-1_fold1", "ckpt-2_fold1", "ckpt-1_fold2"),
        [["ckpt-1_fold1", "ckpt-2_fold1"], ["ckpt-1_fold2"]],
    ),
    "seeds-without-a-word": (
        members("cv-1-01", "cv-1-02", "cv-2-01", "cv-2-02"),
        [["cv-1-01", "cv-1-02"], ["cv-2-01", "cv-2-02"]],
    ),
    "one-left-of-each": (members("m-1-05", "m-2-05"), [["m-1-05"], ["m-2-05"]]),
    "architectures": (members("resnet_18", "resnet_50", "resnet_101"), [["resnet_18"], ["resnet_50"], ["resnet_101"]]),
    "widths-with-steps": (
        members(("unet-64-10", 10, 1), ("unet-64-20", 20, 2), ("unet-128-10", 10, 3)),
        [["unet-64-10", "unet-64-20"], ["unet-128-10"]],
    ),
    "unet-and-a-new-optimizer": (
        members(*((f"unet-{n}", n if n <= 100 else n - 100, n) for n in (25, 50, 75, 100, 125, 150, 175, 200))),
        [[f"unet-{n}" for n in (25, 50, 75, 100, 125, 150, 175, 200)]],
    ),
    "unet-and-copies": (
        members(*((f"unet-{n}", min(n, 75), n) for n in (25, 50, 75, 100, 125, 150))),
        [[f"unet-{n}" for n in (25, 50, 75, 100, 125, 150)]],
    ),
    "unets-of-one-length": (
        members(*((f"unet-{n}", 100, n) for n in (128, 256, 512))),
        [["unet-128"], ["unet-256"], ["unet-512"]],
    ),
    "unet-by-step": (members(("unet-25", 25, 1), ("unet-100", 100, 2)), [["unet-25", "unet-100"]]),
    "as-far-trained": (
        members(("model_1", 90, 1), ("model_2", 90, 2), ("model_3", 90, 3)),
        [["model_1"], ["model_2"], ["model_3"]],
    ),
    "epoch-and-step": (members("m-1-500", "m-2-1000", "m-3-1500"), [["m-1-500", "m-2-1000", "m-3-1500"]]),
    "epoch-and-batch": (members("w-01-0040", "w-01-0080", "w-02-0020"), [["w-01-0040", "w-01-0080", "w-02-0020"]]),
    "epoch-and-batch-in-parallel": (
        members(("m-01-0040", None, 1), ("m-02-0040", None, 2), ("m-01-0080", None, 3)),
        [["m-01-0040", "m-01-0080"], ["m-02-0040"]],
    ),
    "pairs-with-rising-steps": (
        members(("a-1-40", 40, 1), ("a-1-80", 80, 2), ("a-2-20", 120, 3)),
        [["a-1-40", "a-1-80", "a-2-20"]],
    ),
    "pairs-whose-steps-start-again": (members(("a-1-10", 10, 1), ("a-2-10", 10, 2)), [["a-1-10"], ["a-2-10"]]),
    "fold-epoch-batch": (
        members("2-01-0040", "2-02-0040", "3-01-0040"),
        [["2-01-0040", "2-02-0040"], ["3-01-0040"]],
    ),
    "rates-without-a-word": (
        members("m_1e-3_10", "m_1e-3_20", "m_1e-4_10", "m_1e-4_20"),
        [["m_1e-3_10", "m_1e-3_20"], ["m_1e-4_10", "m_1e-4_20"]],
    ),
    "rates-not-as-far": (members("m_0.001_20", "m_0.01_10"), [["m_0.001_20"], ["m_0.01_10"]]),
    "widths-and-sizes": (
        members("mobilenet_v2_0.75_224", "mobilenet_v2_1.25_224"),
        [["mobilenet_v2_0.75_224"], ["mobilenet_v2_1.25_224"]],
    ),
    "settings-that-count-again": (
        members("m_0.15_10", "m_0.15_20", "m_0.25_10", "m_0.25_20"),
        [["m_0.15_10", "m_0.15_20"], ["m_0.25_10", "m_0.25_20"]],
    ),
    "settings-as-far-trained": (
        members(("net_0.25", 100, 1), ("net_0.75", 100, 2)),
        [["net_0.25"], ["net_0.75"]],
    ),
    "a-hash-where-others-have-a-fraction": (
        members("m_0.1_5", "m_12345678901_6"),
        [["m_0.1_5", "m_12345678901_6"]],
    ),
    "losses-alone": (members(("best_0.31", 10, 1), ("best_0.28", 20, 2)), [["best_0.31", "best_0.28"]]),
    "losses-in-front": (members("m_0.31_10", "m_0.28_20", "m_0.28_30"), [["m_0.31_10", "m_0.28_20", "m_0.28_30"]]),
    "losses-of-a-job-that-started-again": (
        members("m_0.31_10", "m_0.28_20", "m_0.27_20", "m_0.25_30"),
        [["m_0.31_10", "m_0.28_20", "m_0.27_20", "m_0.25_30"]],
    ),
    "losses-behind": (members("w.10-0.3", "w.20-0.25", "w.20-0.1"), [["w.10-0.3", "w.20-0.25", "w.20-0.1"]]),
    "dates": (
        members(("model_20240102-000501", None, 0), ("model_20240101-235901", None, 0.001)),
        [["model_20240101-235901", "model_20240102-000501"]],
    ),
    "dates-against-the-times-of-a-copy": (
        members(("m_2024-07-01_08-00-10", None, 1), ("m_2024-06-30_12-45-50", None, 9)),
        [["m_2024-06-30_12-45-50", "m_2024-07-01_08-00-10"]],
    ),
    "months": (
        members(("f_2019_12", None, 0), ("f_2020_2", None, 0), ("f_2019_8", None, 0)),
        [["f_2019_8", "f_2019_12", "f_2020_2"]],
    ),
    "over-new-year": (
        members(("Jan02_12-30-45", None, 0), ("Dec31_12-30-45", None, 0)),
        [["Dec31_12-30-45", "Jan02_12-30-45"]],
    ),
    "runs-by-date": (
        members("20240101-120000_ckpt-1", "20240101-120000_ckpt-2", "20240102-120000_ckpt-1"),
        [["20240101-120000_ckpt-1", "20240101-120000_ckpt-2"], ["20240102-120000_ckpt-1"]],
    ),
    "thousands": (
        members(("ckpt-900", None, 0), ("ckpt-9k", None, 0), ("ckpt-10k", None, 0)),
        [["ckpt-900", "ckpt-9k", "ckpt-10k"]],
    ),
    "a-step-that-looks-like-a-day": (members("ckpt-20240131", "ckpt-20241331"), [["ckpt-20240131"], ["ckpt-20241331"]]),
    "a-copy-beside": (members("ckpt-1", "ckpt-2", "ckpt-2 (1)"), [["ckpt-1", "ckpt-2"], ["ckpt-2 (1)"]]),
    "learning-rates": (members("lr0.01-ckpt-1", "lr0.1-ckpt-1"), [["lr0.01-ckpt-1"], ["lr0.1-ckpt-1"]]),
}


@pytest.mark.parametrize(("items", "expected"), HABITS.values(), ids=HABITS)
def test_what_is_one_training_and_in_which_order(items: list[Checkpoint], expected: list[list[str]]) -> None:
    for order in itertools.islice(itertools.permutations(items), 24):
        assert sorted(names(series) for series in arrange(order)) == sorted(expected)


STEP, EPOCH = "step", "epoch"
MEANINGS: dict[str, tuple[list[Checkpoint], tuple[str, list[int]] | None]] = {
    "tf1-saver": (members("model.ckpt-100", "model.ckpt-200"), (STEP, [100, 200])),
    "sole-but-named-a-checkpoint": (members("model.ckpt-100"), (STEP, [100])),
    "of-a-total": (members("ckpt-1000-of-5000"), (STEP, [1000])),
    "keras-documented": (members("weights.09-0.38", "weights.10-0.31", form=KERAS), (EPOCH, [9, 10])),
    "keras-documented-sole": (members("vgg16.05-0.31", form=KERAS), (EPOCH, [5])),
    "keras-epoch-and-batch": (members("w-03-0040", form=KERAS), (EPOCH, [3])),
    "keras-numbers": (members("w_1", "w_2", form=KERAS), (EPOCH, [1, 2])),
    "one-ratio": (members(("cp-0001", 8, 1), ("cp-0002", 16, 2)), (EPOCH, [1, 2])),
    "one-ratio-from-zero": (members(("m-0", 8, 1), ("m-1", 16, 2)), (EPOCH, [0, 1])),
    "no-ratio": (members(("m-1", 8, 1), ("m-2", 9, 2), ("m-3", 70, 3)), None),
    "sole": (members("model-100"), None),
    "sole-width": (members("bert-base-768", form=KERAS), None),
    "widths-in-turn": (members("unet-128", "unet-256", form=KERAS), None),
    "against-the-times": (members(("m-3", None, 1), ("m-2", None, 5), ("m-1", None, 9)), None),
    "dates": (members("model_20240101-235901", "model_20240102-000501"), None),
    "seconds": (members("model-1700000000", "model-1700000600"), None),
    "thousands": (members("100k", "200k"), (STEP, [100_000, 200_000])),
    "exports": (members("1", "2", form=Format.SAVED_MODEL), None),
}


@pytest.mark.parametrize(("items", "meaning"), MEANINGS.values(), ids=MEANINGS)
def test_what_a_number_without_a_word_counts(items: list[Checkpoint], meaning: tuple[str, list[int]] | None) -> None:
    found = [item for series in arrange(items) for item in series]
    told = [
        fact
        for item in found
        for fact in (item.facts.step, item.facts.epoch)
        if fact and fact.source in (NUMBER_IN_NAME, NUMBER_FROM_0)
    ]
    assert [fact.value for fact in told] == (meaning[1] if meaning else [])
    if meaning is not None:
        assert all(getattr(item.facts, meaning[0]) in told for item in found)
    for item in found:
        assert restoring.initial_epoch(item) is None
        step = item.facts.step
        assert restoring.initial_step(item) == (None if step is None or step in told else step.value)


def test_what_was_told_of_a_series_is_told_anew_when_it_changes() -> None:
    (series,) = arrange(members("m-100", "m-200"))
    assert series[0].facts.step == Sourced(100, NUMBER_IN_NAME)
    ((alone,),) = arrange(series[:1])
    assert alone.facts.step is None


def test_numbers_that_count_epochs_from_0_as_steps_show_say_so() -> None:
    (series,) = arrange(members(("m-2", 60, 1), ("m-3", 80, 2), ("m-4", 100, 3)))
    assert [item.facts.epoch for item in series] == [Sourced(number, NUMBER_FROM_0) for number in (2, 3, 4)]
    ((alone,),) = arrange(series[:1])
    assert alone.facts.epoch is None


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([(1, 8), (2, 16), (3, 20)], [1, 2, 2]),
        ([(0, 8), (1, 16), (2, 24)], [1, 2, 3]),
        ([(1, 8), (2, 16), (3, 24)], [1, 2, 3]),
        ([(1, 8), (2, 16), (3, 900)], [1, 2, 3]),
        ([(3, 20)], [3]),
    ],
    ids=["mid-epoch", "from-zero", "whole", "steps-of-another-training", "alone"],
)
def test_steps_put_an_epoch_in_a_name_right(told: list[tuple[int, int]], expected: list[int]) -> None:
    items = [
        item._replace(facts=item.facts._replace(epoch=Sourced(epoch, EPOCH_IN_NAME)))
        for epoch, step in told
        for item in members((f"epoch-{epoch:02d}", step, float(step)))
    ]
    (series,) = arrange(items)
    assert [restoring.initial_epoch(item) for item in series] == expected
    (again,) = arrange(series)
    assert again == series
    assert {item.facts.epoch.source for item in series if item.facts.epoch} <= {EPOCH_IN_NAME, EPOCH_BY_STEPS}


def test_a_series_keeps_its_id_when_another_value_tells_trainings_apart() -> None:
    """The catalog's rows bear the id: what is known stays known by it, and the newcomers get one of their own."""
    (first,) = arrange(members("a-1-10", "a-1-20"))
    one, other = arrange([*first, *members(("a-2-10", None, 50), ("a-2-20", None, 60))])
    assert {item.series for item in one} == {first[0].series} != {item.series for item in other}
    (left,) = arrange(other)
    assert {item.series for item in left} == {other[0].series}
    (fresh,) = arrange(item._replace(series="") for item in first)
    assert fresh == first


NAMES = st.lists(
    st.tuples(st.sampled_from(["m", "ckpt", "fold1", "fold2", "unet"]), st.integers(1, 3), st.integers(1, 4)),
    min_size=1,
    max_size=9,
    unique=True,
)


@given(NAMES, st.randoms(use_true_random=False), st.booleans(), st.booleans())
def test_the_order_never_contradicts_steps_or_dates(
    parts: list[tuple[str, int, int]],
    random: object,
    is_copied: bool,
    is_dated: bool,
) -> None:
    start = datetime(2024, 1, 31)  # noqa: DTZ001
    items = []
    for number, (word, one, other) in enumerate(parts):
        moment = start + timedelta(hours=random.randrange(2000))  # type: ignore[attr-defined]
        name = f"{word}_{moment:%Y%m%d-%H%M%S}" if is_dated else f"{word}-{one}-{other}"
        step = random.randrange(5) * 10  # type: ignore[attr-defined]
        items.append(a_member(name, step=step, minute=0.0 if is_copied else float(number)))
    found = arrange({item.path: item for item in items}.values())
    assert sum(map(len, found)) == len({item.path for item in items})
    assert len({series[0].series for series in found}) == len(found)
    for series in found:
        if is_dated:
            assert names(series) == sorted(names(series))
        elif is_copied:
            assert [item.facts.step for item in series] == sorted(item.facts.step for item in series if item.facts.step)
        else:
            assert [item.saved_at for item in series] == sorted(item.saved_at for item in series)
        (again,) = [one for one in arrange(itertools.chain(*found)) if one[0].series == series[0].series]
        assert again == series


@pytest.mark.parametrize(
    "found",
    [
        ("m_202311.h5", "m_202312.h5", "m_202401.h5"),
        ("sales_2019.h5", "sales_2020.h5"),
        ("m_2024032.h5", "m_2024033.h5"),
    ],
    ids=["months", "years", "days-of-the-year"],
)
def test_months_and_years_without_a_word_are_no_epochs_and_order_a_copied_tree(found: tuple[str, ...]) -> None:
    (series,) = arrange(members(*reversed([(name, None, 0.0) for name in found]), form=KERAS))
    assert names(series) == list(found)
    assert [(item.facts.step, item.facts.epoch) for item in series] == [(None, None)] * len(found)


def test_what_was_saved_before_anything_was_trained_is_the_first_of_its_series() -> None:
    (series,) = arrange(members(*[(f"epoch={number}", None, 0.0) for number in (1, -1, 0)], form=KERAS))
    assert names(series) == ["epoch=-1", "epoch=0", "epoch=1"]


def in_folders(*found: tuple[str, int | None, float], name: str = "model.keras") -> list[Checkpoint]:
    """One checkpoint of a name in each of some folders of a run: folder, step of the content, minute of the save."""
    return [
        a_member(name, step=step, minute=minute, form=Format.KERAS, folder=f"run/{folder}")
        for folder, step, minute in found
    ]


@pytest.mark.parametrize("folder", ["checkpoint_{:06d}", "step_{}", "epoch-{}", "trial_7/checkpoint_{:06d}", "ckpt-{}"])
@pytest.mark.parametrize("is_copied", [True, False])
def test_one_name_in_numbered_folders_of_saves_is_one_training(folder: str, is_copied: bool) -> None:
    found = [(folder.format(number), None, 0.0 if is_copied else number) for number in (10, 9, 8, 11)]
    (series,) = arrange(in_folders(*found))
    assert [item.path.split("/")[-2] for item in series] == [folder.format(n).split("/")[-1] for n in (8, 9, 10, 11)]
    assert [item.is_latest_restorable for item in series] == [False, False, False, True]
    assert {(item.facts.step, item.facts.epoch) for item in series} == {(None, None)}


@pytest.mark.parametrize(
    "folder", ["fold_{}", "seed-{}", "trial_{}", "rank{}", "run_{}", "v{}", "model_{}", "2024010{}"]
)
def test_one_name_in_folders_that_tell_trainings_apart_is_one_each(folder: str) -> None:
    assert len(arrange(in_folders(*[(folder.format(n), None, float(n)) for n in (1, 2, 3)]))) == 3


def test_numbered_folders_whose_steps_do_not_rise_are_trainings_of_their_own() -> None:
    assert len(arrange(in_folders(*[(f"checkpoint_{n}", 100, float(n)) for n in (1, 2, 3)]))) == 3
    assert len(arrange(in_folders(*[(f"checkpoint_{n}", 100 * n, float(n)) for n in (1, 2, 3)]))) == 1


def test_a_run_that_is_itself_named_as_a_save_is_no_save_of_a_training() -> None:
    found = [a_member("model.keras", form=Format.KERAS, folder=f"checkpoint_{number}") for number in (1, 2)]
    assert [len(series) for series in arrange(found)] == [1, 1]
