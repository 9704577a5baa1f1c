"""Models with optimizers and a train_step of their own: they go on exactly, or the first start says why they cannot."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.support.jobs import job_server
from waypoint_resume import Waypoint, resume
from waypoint_resume.optimizers import owner_by_name

JOB = Path(__file__).with_name("gan_job.py")


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_a_killed_gan_ends_bitwise_where_an_unbroken_one_does(tmp_path: Path, framework: str) -> None:
    done = job_server(framework).run(JOB, framework, tmp_path)
    said = {path.stem: path.read_text() for path in tmp_path.glob("*.txt")}
    assert done.returncode == 0, f"{done.stderr[-2_000:]}\n{said}"
    cases = ["keras", "weights", "mid-epoch", *(["tf-form"] if framework == "tf_keras" else [])]
    assert sorted(said) == sorted(cases)
    for case in cases:
        whole, killed = (json.loads((tmp_path / f"{case}{end}.json").read_text()) for end in ("-whole", ""))
        assert killed["values"] == whole["values"], case
        lines = killed["losses"].splitlines()
        assert sorted(set(lines)) == sorted(whole["losses"].splitlines()), case
        assert len(lines) > len(set(lines)), case  # something was trained again: it did not begin anew, nor at the kill
        assert "Adam, Adam restored" in said[case]
        assert "not kept" not in said[case]


class Pair(keras.Model):  # type: ignore[misc]
    """A model whose optimizers' names say nothing of what they train."""

    def __init__(self, *, eager: bool = False) -> None:
        super().__init__()
        self.left, self.right = (keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(2)]) for _ in range(2))
        self.eager = eager

    def call(self, x: Any) -> Any:  # noqa: ANN401
        """Both parts."""
        return self.left(x) + self.right(x)

    def set_optimizers(self) -> None:
        """As a compile() of its own would."""
        self.one, self.two = keras.optimizers.SGD(0.1, momentum=0.5), keras.optimizers.Adam(0.1)

    def train_step(self, data: Any) -> dict[str, Any]:  # noqa: ANN401
        """A step of each."""
        import tensorflow as tf

        for optimizer, part in ((self.one, self.left), (self.two, self.right)):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(data[0]) - data[1]) ** 2)
            optimizer.apply(tape.gradient(loss, part.trainable_variables), part.trainable_variables)
            if self.eager:
                float(loss.numpy())
        return {"loss": loss}


def fit(run: Path, saver: Any, *, eager: bool = False, epochs: int = 1) -> Pair:  # noqa: ANN401
    model = Pair(eager=eager)
    model.compile(run_eagerly=eager)
    model.set_optimizers()
    callbacks = [saver, Waypoint(run)]
    model.fit(np.ones((4, 2)), np.ones((4, 2)), epochs=epochs, verbose=0, callbacks=callbacks)
    return model


def test_what_an_optimizer_trains_is_told_by_the_train_step(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    saver = keras.callbacks.ModelCheckpoint(f"{tmp_path}/e-{{epoch}}.weights.h5", save_weights_only=True)
    fit(tmp_path, saver)
    assert caplog.records == [record for record in caplog.records if record.levelname == "INFO"]
    assert int(fit(tmp_path, saver, epochs=3).two.iterations) == 3


def test_optimizers_of_a_step_that_is_never_traced_are_said_before_the_first_epoch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saver = keras.callbacks.ModelCheckpoint(f"{tmp_path}/e-{{epoch}}.weights.h5", save_weights_only=True)
    fit(tmp_path, saver, eager=True)
    assert "What these optimizers train cannot be told" in caplog.text
    assert "optimizer.build(variables)" in caplog.text


def test_saves_without_an_optimizers_state_are_said_before_the_first_epoch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fit(tmp_path, keras.callbacks.OrbaxCheckpoint(tmp_path / "orbax", save_freq="epoch"))
    assert "What OrbaxCheckpoint saves holds no state of SGD (" in caplog.text
    assert "Adam (" in caplog.text


def test_without_a_fit_an_unclear_optimizer_is_said_at_the_first_start(tmp_path: Path) -> None:
    model = Pair()
    model.compile()
    model.set_optimizers()
    start = resume(tmp_path, model=model)
    start.finish()
    assert any("What these optimizers train cannot be told" in text for text in start.warnings)


def test_the_name_that_shares_most_words_is_the_owner() -> None:
    class Part:
        trainable_variables = (1,)

    class Optimizer:
        iterations = 0

        def apply_gradients(self) -> None: ...

    names = {"gen_G": Part(), "gen_F": Part(), "disc_X": Part(), "disc_Y": Part()}
    owned = {f"{name}_optimizer": Optimizer() for name in names}
    for name, optimizer in owned.items():
        assert owner_by_name(optimizer, {**names, **owned}) is names[name.removesuffix("_optimizer")]
    tied = Optimizer()
    assert owner_by_name(tied, {**names, "gen_optimizer": tied}) is None
