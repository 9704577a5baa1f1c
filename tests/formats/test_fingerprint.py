"""Which variables are the same in two checkpoints of one training."""

from pathlib import Path

import keras
import numpy as np

from core.formats import hdf5
from core.stores.local import LocalStore


def test_the_second_optimizer_of_a_process_makes_no_other_series(tmp_path: Path) -> None:
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    names, found = [], []
    for number, kind in enumerate(("Adam", "Adam", "SGD")):
        model.compile(getattr(keras.optimizers, kind)(0.1), "mse")
        model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
        names.append(model.optimizer.variables[0].path)
        model.save_weights(tmp_path / f"{number}.weights.h5")
        facts = hdf5.read_found(LocalStore(str(tmp_path)), f"{number}.weights.h5").facts
        found.append(facts.fingerprint)
    assert names[0] != names[1]
    assert found[0] == found[1] != found[2]
