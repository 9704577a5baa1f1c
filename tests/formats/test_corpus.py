"""Bundles that other people's training jobs and our samples wrote: every index that TensorFlow opens is read so too.

Of a checkpoint with a missing shard TensorFlow is asked for shapes and types only: looking up a sliced variable there
twice ends its process.
"""

import functools
import os
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType

import pytest

from core.base.errors import CorruptError, TruncatedError
from core.base.facts import Contents, Facts, Variable
from core.formats.bundle_index import GRAPH_KEY
from tests.support import bundle_files

HERE = Path(__file__).parents[1]
ROOTS = {
    "corpus": Path(os.environ.get("WAYPOINT_CORPUS") or HERE.parents[1] / "shared" / "corpus"),
    "samples": HERE.parent / "sample_runs",
}
WEIGHTS, BOTH, UNKNOWN = Contents.WEIGHTS_ONLY, Contents.WEIGHTS_AND_OPTIMIZER, Contents.UNKNOWN
# Prefix pattern → contents, step (or a part of the reason why there is none), parameters. The steps of the samples and
# of keras-2.12 are those of their trainers: steps per epoch times epochs.
KNOWN: dict[str, tuple[Contents, int | str, int | None]] = {
    "Algo-Trading/saved_model_1/*": (BOTH, 5590, 4897),
    "Algo-Trading/saved_model_2/*": (BOTH, 1110, 4897),
    "counterpartAI/training_checkpoints/ckpt_*": (UNKNOWN, "data-00000-of-00001, which holds it, is missing", None),
    "determined/*-keras/determined-keras-model-weights": (BOTH, 1, 1),
    "gym_attempts/checkpoints/cartpole*": (BOTH, "no counter of steps", 4610),
    "keras-2.12/backup/chief/ckpt-3": (BOTH, 12, 90),
    "keras-2.12/full_tf/cp-0001/*": (BOTH, 2, 90),
    "keras-2.12/full_tf/cp-0002/*": (BOTH, 4, 90),
    "keras-2.12/full_tf/cp-0003/*": (BOTH, 6, 90),
    "keras-2.12/legacy_opt*": (BOTH, 2, 40),
    "keras-2.12/uncompiled/w": (WEIGHTS, "no counter of steps", 40),
    "keras-2.12/w_tf/cp-0001.ckpt": (BOTH, 2, 90),
    "keras-2.12/w_tf/cp-0002.ckpt": (BOTH, 4, 90),
    "keras-2.12/w_tf/cp-0003.ckpt": (BOTH, 6, 90),
    "tf2-TIL/checkpoints/my_checkpoint": (BOTH, "no counter of steps", 407050),
    "tf2-TIL/saved_models/*": (BOTH, "data-00000-of-00002, which holds it, is missing", 407050),
    "tf2-TIL/training_1/cp.ckpt": (BOTH, "data-00001-of-00002, which holds it, is missing", 407050),
    "tf2-TIL/training_2/cp-0000.ckpt": (WEIGHTS, "no counter of steps", 407050),
    "tf2-TIL/training_2/cp-00[1-5]?.ckpt": (BOTH, "data-00001-of-00002, which holds it, is missing", 407050),
    "tf2-TIL/training_2/cp-0005.ckpt": (BOTH, "data-00001-of-00002, which holds it, is missing", 407050),
    "tf2-TIL/training_checkpoints/ckpt-?": (BOTH, "data-00001-of-00002, which holds it, is missing", 2544002),
    "defect-detector/export/*": (WEIGHTS, "no counter of steps", 86),
    "unet-segmentation/ckpts/unet-150": (UNKNOWN, "data-00000-of-00001, which holds it, is missing", None),
}
# Of the samples: steps between two saves, parameters.
SAMPLES = {
    "char-lm/checkpoints/ckpt-": (15, 19580),
    "fashion-vae/training_checkpoints/ckpt-": (40, 7400),
    "mnist-cnn/checkpoints/ckpt-": (30, 2046),
    "review-sentiment/training_checkpoints/cp-": (20, 2081),
    "two-tower/checkpoints/ckpt-": (60, 2113),
    "unet-segmentation/ckpts/unet-": (1, 883),
    "speech-rnn/rnn.ckpt-": (1, 888),
    "wide-deep-tf1/model.ckpt-": (1, 461),
}


def indexes(root: str) -> list[str]:
    """Prefixes of every index of a root, without those of unfinished saves."""
    found = (path.relative_to(ROOTS[root]).as_posix() for path in ROOTS[root].rglob("*.index"))
    return sorted(path.removesuffix(".index") for path in found if "_temp/" not in path)


ALL = [(root, prefix) for root in ROOTS for prefix in indexes(root)]
OURS = [(root, prefix) for root, prefix in ALL if not prefix.endswith(".guild/output")]
FOREIGN = [(root, prefix) for root, prefix in ALL if prefix.endswith(".guild/output")]


@functools.cache
def read(root: str, prefix: str) -> tuple[Facts, tuple[Variable, ...]]:
    return bundle_files.read(ROOTS[root], prefix)


@pytest.fixture(scope="module")
def tf() -> ModuleType:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    found: ModuleType = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    return found


def known(prefix: str) -> tuple[Contents, int | str, int | None]:
    """What is known of how this was saved."""
    for pattern, row in KNOWN.items():
        if fnmatchcase(prefix, pattern):
            return row
    (start,) = [start for start in SAMPLES if prefix.startswith(start)]
    every, parameters = SAMPLES[start]
    return BOTH, int(prefix.removeprefix(start).removesuffix(".ckpt")) * every, parameters


def test_the_corpus_is_there() -> None:
    if not ROOTS["corpus"].is_dir():
        pytest.skip(f"no corpus at {ROOTS['corpus'].name} (set WAYPOINT_CORPUS)")
    assert {prefix.partition("/")[0] for root, prefix in OURS if root == "corpus"} == {
        *("Algo-Trading", "counterpartAI", "determined", "gym_attempts", "keras-2.12", "tf2-TIL"),
    }
    assert FOREIGN


@pytest.mark.parametrize(("root", "prefix"), OURS, ids=[prefix for _, prefix in OURS])
def test_names_shapes_and_dtypes_are_tensorflows(tf: ModuleType, root: str, prefix: str) -> None:
    reader = tf.train.load_checkpoint(str(ROOTS[root] / prefix))
    _, variables = read(root, prefix)
    shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    shapes.pop(GRAPH_KEY, None)
    assert {variable.name: list(variable.shape or ()) for variable in variables} == shapes
    assert {variable.name: variable.dtype for variable in variables} == {name: types[name].name for name in shapes}


@pytest.mark.parametrize(("root", "prefix"), OURS, ids=[prefix for _, prefix in OURS])
def test_contents_and_step_are_what_was_saved(root: str, prefix: str) -> None:
    contents, step, parameters = known(prefix)
    facts, _ = read(root, prefix)
    assert facts.contents is contents
    assert facts.has_optimizer is (contents is BOTH)
    assert facts.parameters == parameters
    if isinstance(step, int):
        assert facts.step is not None
        assert (facts.step.value, facts.step_reason) == (step, None)
    else:
        assert facts.step is None
        assert step in str(facts.step_reason)
    if contents is UNKNOWN:
        assert "which holds it, is missing" in str(facts.contents_reason)
    assert facts.mismatch is None


@pytest.mark.parametrize(("root", "prefix"), OURS, ids=[prefix for _, prefix in OURS])
def test_shards_that_are_there_are_as_long_as_the_index_says(root: str, prefix: str) -> None:
    facts, _ = read(root, prefix)
    for shard in facts.shards:
        path = ROOTS[root] / Path(prefix).parent / shard.name
        assert shard.actual == (path.stat().st_size if path.is_file() else None)
        assert shard.actual in (shard.expected, None)


@pytest.mark.parametrize(("root", "prefix"), FOREIGN, ids=[prefix for _, prefix in FOREIGN])
def test_indexes_of_other_tools_are_no_tables(root: str, prefix: str) -> None:
    if (ROOTS[root] / f"{prefix}.index").stat().st_size == 0:
        facts, _ = read(root, prefix)
        assert facts.problem is not None
        assert facts.problem.kind == "empty"
        return
    with pytest.raises((CorruptError, TruncatedError)) as caught:
        read(root, prefix)
    assert caught.value.section == "footer"


@pytest.mark.parametrize(
    ("prefix", "saves", "epoch"),
    [
        ("keras-2.12/backup/chief/ckpt-3", 3, 2),
        ("keras-2.12/legacy_opt_ck/ck-1", 1, None),
        ("tf2-TIL/training_checkpoints/ckpt-2", 2, None),
        ("unet-segmentation/ckpts/unet-100", 4, 4),
        ("mnist-cnn/checkpoints/ckpt-10", 10, None),
    ],
)
def test_counters_beside_the_step(prefix: str, saves: int, epoch: int | None) -> None:
    root = "corpus" if (ROOTS["corpus"] / f"{prefix}.index").is_file() else "samples"
    if (root, prefix) not in OURS:
        pytest.skip("no corpus (set WAYPOINT_CORPUS)")
    facts, _ = read(root, prefix)
    assert facts.save_counter is not None
    assert facts.save_counter.value == saves
    assert (facts.epoch.value if facts.epoch else None) == epoch
