"""A loop of its own with a CheckpointManager: random generators and the job's own objects go on with it."""

import random
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from waypoint_resume import Start, resume
from waypoint_resume.identity import identity_of
from waypoint_resume.state_store import StateStore


class Sampler:
    """Draws from generators of its own."""

    def __init__(self, seed: int) -> None:
        self.numbers, self.drawn = np.random.default_rng(seed), 0

    def draw(self) -> float:
        """The next number."""
        self.drawn += 1
        return float(self.numbers.normal())

    def get_state(self) -> dict[str, Any]:
        """Everything that its numbers depend on."""
        return {"numbers": self.numbers.bit_generator.state, "drawn": self.drawn}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.numbers.bit_generator.state, self.drawn = state["numbers"], state["drawn"]


class Loop:
    """A loop with Dropout, made anew by each start."""

    def __init__(self, run: Path, seed: int, keep: int = 3) -> None:
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        tf.random.set_global_generator(tf.random.Generator.from_seed(seed))
        self.model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
        self.optimizer = keras.optimizers.SGD(0.1)
        self.optimizer.build(self.model.trainable_variables)
        self.sampler = Sampler(seed)
        saved = tf.train.Checkpoint(model=self.model, optimizer=self.optimizer)
        self.manager = tf.train.CheckpointManager(saved, str(run / "ckpts"), max_to_keep=keep)
        self.run = run

    def resume(self) -> Start:
        """Start."""
        return resume(self.run, manager=self.manager, steps_per_epoch=10, keep=[self.sampler])

    def step(self) -> list[float]:
        """Train one step; what was drawn, and the loss."""
        drawn = [self.sampler.draw(), random.random(), float(np.random.normal())]
        drawn.append(float(tf.random.get_global_generator().normal(())))
        drawn.append(float(tf.random.normal(())))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(self.model(tf.fill((4, 3), drawn[0]), training=True) ** 2)
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.model.trainable_variables), self.model.trainable_variables, strict=True)
        )
        return [*drawn, float(loss)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    made = tmp_path / "run"
    made.mkdir()
    return made


def test_a_loop_goes_on_with_every_generator_and_the_jobs_own_objects(run: Path) -> None:
    first = Loop(run, 1)
    first.resume()
    for _ in range(3):
        first.step()
    first.manager.save()
    wanted = [first.step() for _ in range(3)]
    again = Loop(run, 2)
    start = again.resume()
    assert [again.step() for _ in range(3)] == wanted
    receipt = start.receipt
    assert receipt is not None
    assert (start.source, receipt.has_state, receipt.callbacks, receipt.not_kept) == (
        "ckpts/ckpt-1",
        True,
        ["Sampler"],
        [],
    )
    assert {"NumPy", "TensorFlow's global generator", "TensorFlow's operation seeds"} <= set(receipt.random)


def test_rotated_checkpoints_take_their_state_with_them_and_a_finished_loop_is_left_alone(run: Path) -> None:
    loop = Loop(run, 1, keep=2)
    start = loop.resume()
    for _ in range(4):
        loop.step()
        loop.manager.save()
    store = StateStore(run, run)
    start.finish()
    kept = {identity_of(run, f"ckpts/ckpt-{number}").digest for number in (3, 4)}
    assert {path.stem for path in store.folder.iterdir()} == kept
    assert "save" not in vars(loop.manager)


def test_a_copy_without_its_state_says_so(run: Path, tmp_path: Path) -> None:
    loop = Loop(run, 1)
    loop.resume()
    loop.step()
    loop.manager.save()
    shutil.copytree(run / "ckpts", tmp_path / "copy" / "ckpts")
    start = Loop(tmp_path / "copy", 2).resume()
    assert any("No state is kept beside ckpts/ckpt-1" in text for text in start.warnings)
    with pytest.raises(TypeError, match="keep= takes objects with get_state"):
        resume(run, manager=loop.manager, keep=[object()])
