"""Models that are whole although a layer in one of their layers never counts as built."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from waypoint_resume import resume
from waypoint_resume.objects import has_all_variables

WORDS, Y = tf.constant(["a b", "b c", "c a", "a c"]), np.ones((4, 1), "float32")


def a_text_model() -> Any:  # noqa: ANN401 - Keras has no types
    words = keras.layers.TextVectorization(vocabulary=["a", "b", "c"], output_sequence_length=2)
    parts = [words, keras.layers.Embedding(5, 2), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((), dtype="string"), *parts])
    model.compile("adam", "mse")
    return model


def test_a_text_model_is_resumed(tmp_path: Path) -> None:
    model = a_text_model()
    start = resume(tmp_path, model=model)
    saver = keras.callbacks.ModelCheckpoint(tmp_path / "e-{epoch}.keras")
    data = tf.data.Dataset.from_tensor_slices((WORDS, Y)).batch(2)
    model.fit(data, epochs=1, verbose=0, shuffle=False, callbacks=[saver, start.guard])
    again = a_text_model()
    assert resume(tmp_path, model=again).epoch == 1
    assert all(np.array_equal(one, other) for one, other in zip(again.get_weights(), model.get_weights(), strict=True))


def test_a_model_whose_own_layer_is_not_built_is_not_whole() -> None:
    class Own(keras.layers.Layer):  # type: ignore[misc]
        """Says that it is built, and makes its variables when it is called."""

        def __init__(self) -> None:
            super().__init__()
            self.inner, self.built = keras.layers.Dense(1), True

    holder = keras.Model()
    holder.part = keras.Sequential([Own()])
    holder.part.built = True
    assert not has_all_variables(holder)
    holder.part.layers[0].inner.build((None, 2))
    assert has_all_variables(holder)
