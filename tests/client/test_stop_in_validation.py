"""SIGTERM within the validation of an epoch is followed there, and the next start comes out exact, val values too."""

import json
from pathlib import Path

import keras
import pytest

from tests.support.jobs import job_server
from waypoint_resume.validation_hooks import may_change_weights

JOB = Path(__file__).with_name("validated_job.py")


@pytest.mark.parametrize("framework", ["keras", "tf_keras", "jax"])
def test_a_training_stopped_in_its_validation_goes_on_with_it(tmp_path: Path, framework: str) -> None:
    done = job_server(framework).run(JOB, framework, tmp_path)
    said = {path.stem: path.read_text() for path in tmp_path.glob("*.txt")}
    assert done.returncode == 0, f"{done.stderr[-2_000:]}\n{said}"
    assert sorted(said) == ["known", *(["unknown"] if framework != "jax" else [])]
    for case, lives in (("known", 3), ("unknown", 2)):
        if case not in said:
            continue
        whole, stopped = (json.loads((tmp_path / f"{case}{end}.json").read_text()) for end in ("-whole", ""))
        assert stopped == whole, case  # each step was made once: nothing was trained again, nor left out
        assert said[case].count("Preempted at step") == lives
        assert (
            said[case].count("4 batches of the next one done") == lives
        )  # the epoch's batches, and nothing of its end


def test_callbacks_that_exchange_weights_for_a_validation_are_told_apart() -> None:
    class Own(keras.callbacks.Callback):  # type: ignore[misc]
        def on_test_begin(self, logs: object = None) -> None: ...

    kit = keras.callbacks
    assert not may_change_weights([kit.TensorBoard("logs"), kit.EarlyStopping(), kit.History()])
    assert may_change_weights([kit.SwapEMAWeights()])
    assert may_change_weights([kit.History(), Own()])
