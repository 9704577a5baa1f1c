"""Trainings that SIGTERM meets within a validation: `validated_job.py FRAMEWORK FOLDER` (keras, jax or tf_keras).

Each life is a forked process. A case is trained unbroken without the client, and with it in lives of which the first
ones end in a validation; `FOLDER/<case>.json` and `FOLDER/<case>-whole.json` hold the loss of each batch, the history,
callbacks' memory and all values; `FOLDER/<case>.txt` what the lives said.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

JAX = sys.argv[1] == "jax"
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", JAX_PLATFORMS="cpu")
os.environ["KERAS_BACKEND"] = "jax" if JAX else "tensorflow"

import numpy as np  # noqa: E402 - the backend is chosen before

KIT: Any = importlib.import_module("tf_keras" if sys.argv[1] == "tf_keras" else "keras")
EPOCHS, STEPS, BATCH = 5, 4, 8
DATA = np.random.default_rng(0)
X = DATA.normal(size=(STEPS * BATCH, 3)).astype("float32")
Y = DATA.normal(size=(STEPS * BATCH, 1)).astype("float32")
# Name of a case: whether the steps of an epoch are known before its end, and in which epochs a life ends in validation.
CASES: dict[str, tuple[bool, list[int]]] = {"known": (True, [2, 2, 3])}
if not JAX:
    CASES["unknown"] = (False, [0, 3])


def training_data(*, is_known: bool) -> dict[str, Any]:
    """Arrays, or a dataset that does not know its length."""
    if is_known:
        return {"x": X, "y": Y, "batch_size": BATCH, "shuffle": False}
    import tensorflow as tf

    return {"x": tf.data.Dataset.from_tensor_slices((X, Y)).filter(lambda *_: True).shuffle(32, seed=3).batch(BATCH)}


def live(case: str, folder: Path, *, is_whole: bool, ends_in: int | None) -> None:
    """One life: to its end, or until SIGTERM ends it in the validation of an epoch."""
    from waypoint_resume import Waypoint
    from waypoint_resume.callback_memory import read_memory
    from waypoint_resume.values import encode

    if not JAX:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    KIT.utils.set_random_seed(1)
    if KIT.__version__.startswith("2."):
        KIT.backend.experimental.enable_tf_random_generator()
    layers = [KIT.layers.Dense(6), KIT.layers.BatchNormalization(), KIT.layers.Dropout(0.3), KIT.layers.Dense(1)]
    model = KIT.Sequential([KIT.layers.Input((3,)), *layers])
    model.compile(KIT.optimizers.Adam(0.05), "mse", metrics=["mae"])
    run, noted = folder / case, folder / f"{case}-steps.txt"

    class Noting(KIT.callbacks.Callback):  # type: ignore[misc]
        """Notes each step."""

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401, ARG002
            self.epoch = epoch

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401
            with noted.open("a") as file:
                file.write(f"{self.epoch} {batch} {float(logs['loss']).hex()} {float(logs['mae']).hex()}\n")

    class Signalling(Noting):
        """Sends SIGTERM in a validation, from a hook with which it might change the weights too."""

        def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401, ARG002
            if (self.epoch, batch) == (ends_in, 1):
                os.kill(os.getpid(), signal.SIGTERM)

    note = Signalling() if CASES[case][0] else Noting()

    class Validation(getattr(KIT.utils, "PyDataset", KIT.utils.Sequence)):  # type: ignore[misc]
        """Sends SIGTERM when a batch is read."""

        def __len__(self) -> int:
            return 4

        def __getitem__(self, batch: int) -> Any:  # noqa: ANN401
            if (getattr(note, "epoch", None), batch) == (ends_in, 1):
                os.kill(os.getpid(), signal.SIGTERM)
            return X[batch * 6 : batch * 6 + 6] * 0.5, Y[batch * 6 : batch * 6 + 6]

    remembering = [
        KIT.callbacks.ReduceLROnPlateau(patience=1, factor=0.5),
        KIT.callbacks.EarlyStopping(patience=3, restore_best_weights=True),
    ]
    saver = KIT.callbacks.ModelCheckpoint(f"{run}/e-{{epoch:02d}}.weights.h5", save_weights_only=True)
    callbacks = [note, *remembering, *([] if is_whole else [saver, Waypoint(run)])]
    arrays = {"validation_data": (X[:24] * 0.5, Y[:24]), "validation_batch_size": 6}
    validation = arrays if CASES[case][0] else {"validation_data": Validation()}
    data = training_data(is_known=CASES[case][0])
    history = model.fit(**data, **validation, epochs=EPOCHS, callbacks=callbacks, verbose=0)
    own = model.optimizer.variables
    values = [*model.weights, *(own() if callable(own) else own)]
    memory = [encode(item["memory"], {}) for item in read_memory(remembering)[0]]
    ended = {
        "values": [np.asarray(value).tobytes().hex() for value in values],
        "history": encode(history.history, {}),
        "memory": memory,
        "steps": noted.read_text().splitlines(),
    }
    (folder / f"{case}{'-whole' * is_whole}.json").write_text(json.dumps(ended))
    noted.unlink()


def forked(case: str, folder: Path, *, is_whole: bool = False, ends_in: int | None = None) -> int:
    """Run a life in a process of its own; how it ended."""
    if pid := os.fork():
        return os.waitpid(pid, 0)[1]
    with (folder / f"{case}.txt").open("a") as said:
        os.dup2(said.fileno(), 2)
    status = 1
    try:
        live(case, folder, is_whole=is_whole, ends_in=ends_in)
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it was, it is told
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Run the cases."""
    folder = Path(sys.argv[2])
    for case, (_, ends) in CASES.items():
        assert forked(case, folder, is_whole=True) == 0, case
        for epoch in ends:
            assert forked(case, folder, ends_in=epoch) == signal.SIGTERM, (case, epoch)
        assert forked(case, folder) == 0, case


if __name__ == "__main__":
    main()
