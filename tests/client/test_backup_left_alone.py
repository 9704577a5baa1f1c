"""A BackupAndRestore beside a watched training saves, and restores nothing by itself."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.client.test_client_restore import a_model, train
from waypoint_resume import Waypoint


@pytest.mark.parametrize("is_first", [True, False], ids=["before", "behind"])
def test_a_backup_that_a_kill_cut_does_not_end_every_later_fit(tmp_path: Path, is_first: bool) -> None:
    model = a_model()
    train(
        model,
        2,
        callbacks=[keras.callbacks.ModelCheckpoint(tmp_path / "epoch-{epoch:02d}.weights.h5", save_weights_only=True)],
    )
    kept = model.get_weights()
    (tmp_path / "backup").mkdir()
    whole = (tmp_path / "epoch-02.weights.h5").read_bytes()
    (tmp_path / "backup" / "latest.weights.h5").write_bytes(whole[: len(whole) // 2])
    fresh = a_model()
    seen = []

    class Seen(keras.callbacks.Callback):  # type: ignore[misc]
        """Notes with which weights, and in which epoch, the loop begins."""

        def on_epoch_begin(self, epoch: int, _logs: object = None) -> None:
            """At its first epoch."""
            seen.append((epoch, [np.array(value) for value in self.model.get_weights()]))

    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False)
    both = [backup, Waypoint(tmp_path)] if is_first else [Waypoint(tmp_path), backup]
    fresh.fit(np.zeros((16, 3)), np.zeros((16, 1)), batch_size=8, epochs=3, verbose=0, callbacks=[*both, Seen()])
    [(epoch, weights)] = seen
    assert epoch == 2
    assert all(np.array_equal(one, other) for one, other in zip(weights, kept, strict=True))
    assert (tmp_path / "backup" / "latest.weights.h5").stat().st_size == len(whole)
