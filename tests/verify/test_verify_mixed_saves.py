"""Variables of another save in a SavedModel, which TensorFlow loads without a word: the fingerprint tells."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from core.formats.farm_fingerprint import fingerprint64
from core.verify.results import Outcome, Verification
from core.verify.run import verify
from tests.support.keras_files import checkpoints

OTHER = "The variables are of another save than fingerprint.pb: TensorFlow loads them."
UNKNOWN = "whether the variables are those of this export"


@pytest.mark.parametrize("length", [*range(131), 4_095, 4_096, 4_097])
def test_the_hash_is_tensorflows(length: int) -> None:
    data = np.random.default_rng(length).integers(0, 256, (1, length), np.uint8)
    (expected,) = tf.raw_ops.Fingerprint(data=data, method="farmhash64").numpy()
    assert fingerprint64(data.tobytes()) == int.from_bytes(expected.tobytes(), "little")


def verified(root: Path, name: str) -> Verification:
    return verify(str(root), checkpoints(root)[name])


def test_a_mixed_save_is_told(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        module = tf.Module()
        module.w = tf.Variable(tf.fill((3, 2), value))
        tf.saved_model.save(module, str(tmp_path / str(value)))
    whole = verified(tmp_path, "1.0")
    assert whole.outcome is Outcome.VERIFIED
    assert OTHER not in whole.detail
    assert UNKNOWN not in whole.detail
    shutil.rmtree(tmp_path / "1.0" / "variables")
    shutil.copytree(tmp_path / "2.0" / "variables", tmp_path / "1.0" / "variables")
    assert float(tf.saved_model.load(str(tmp_path / "1.0")).w[0, 0]) == 2.0
    mixed = verified(tmp_path, "1.0")
    assert mixed.outcome is Outcome.VERIFIED
    assert OTHER in mixed.detail
    for content in (None, b"", b"\xff"):
        (tmp_path / "1.0" / "fingerprint.pb").unlink()
        if content is not None:
            (tmp_path / "1.0" / "fingerprint.pb").write_bytes(content)
        else:
            assert tf.saved_model.load(str(tmp_path / "1.0")).w.shape == (3, 2)
        untold = verified(tmp_path, "1.0")
        assert (untold.outcome, OTHER in untold.detail, UNKNOWN in untold.detail) == (Outcome.VERIFIED, False, True)
        (tmp_path / "1.0" / "fingerprint.pb").touch()
