"""What a job restores, and what it refuses: checked before anything is loaded, everything accounted for afterwards."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.services.resume import propose, resume_from
from waypoint_resume.choice import plan_for
from waypoint_resume.live import Live
from waypoint_resume.loading import OPTIMIZER_RESTARTS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from core.config.settings import load
from core.resume.manifest import Mode
from core.services.workspace import Workspace
from waypoint_resume import MismatchError, ResumeError, Waypoint, resume

X, Y = np.linspace(-1, 1, 48, dtype="float32").reshape(16, 3), np.ones((16, 1), "float32")
STEPS = 2  # of an epoch
Model = Any  # Keras has no types


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """One job that is started again and again; Keras counts its names from the start."""
    for name in ("SLURM_JOB_ID", "TF_CONFIG", "WAYPOINT_DECISIONS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WAYPOINT_JOB", "night")
    keras.utils.clear_session()


def a_model(
    units: int = 4,
    *,
    optimizer: Any = "adam",  # noqa: ANN401 - a name or an optimizer
    extra: bool = False,
    dtype: str = "float32",
    dropout: bool = False,
) -> Model:
    """A model as a job makes it at its start, compiled unless its optimizer is None."""
    keras.utils.clear_session()
    layers = [keras.Input((3,)), keras.layers.Dense(units, dtype=dtype), keras.layers.Dense(1, dtype=dtype)]
    layers += [keras.layers.Dense(1)] if extra else []
    layers += [keras.layers.Dropout(0.5)] if dropout else []
    model = keras.Sequential(layers)
    if optimizer is not None:
        model.compile(optimizer, "mse", metrics=["mae"], run_eagerly=True)
    return model


def train(model: Model, epochs: int = 1, first: int = 0, **more: Any) -> None:  # noqa: ANN401
    """Train for some epochs of two steps."""
    model.fit(X, Y, batch_size=8, epochs=first + epochs, initial_epoch=first, shuffle=False, verbose=0, **more)


def values(model: Model) -> list[bytes]:
    """Weights and optimizer state."""
    own = [] if model.optimizer is None else model.optimizer.variables
    return [variable.numpy().tobytes() for variable in [*model.weights, *own]]


def save(model: Model, kind: str, run: Path, number: int = 1) -> Path:
    """Save in one of the forms; the path that a manifest names."""
    run.mkdir(parents=True, exist_ok=True)
    if kind == "bundle":
        prefix = run / f"ckpt-{number}"
        tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(str(prefix))
        return prefix
    path = run / f"epoch-{number}.{'weights.h5' if kind == 'weights' else kind}"
    (model.save_weights if kind == "weights" else model.save)(path)
    return path


def hand_over(run: Path, name: str, mode: Mode = Mode.CONTINUE, **changes: Any) -> None:  # noqa: ANN401
    """Write the manifest of a checkpoint with the dashboard's own code; changes are made in its text."""
    settings = load(roots_override=[run.parent]).model_copy(update={"home": run.parent / ".home"})
    workspace = Workspace.open(settings)
    workspace.refresh()
    found = workspace.find_run(run.name)
    picked = next(item for item in workspace.members(found.root, found.path) if item.path.endswith(f"/{name}"))
    proposal = propose(workspace, picked, mode)
    accepted = [warning.id for warning in proposal.warnings]
    resume_from(workspace, picked, proposal, note="", accepted=accepted, confirm=run.name)
    workspace.close()
    path = run / "resume_manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Where a run will be."""
    return tmp_path / "runs" / "a"


KINDS = ("bundle", "weights", "keras", "h5")
every_kind = pytest.mark.parametrize("kind", KINDS)

OTHER_MODELS: dict[str, tuple[Callable[[], Model], str]] = {
    "shape": (lambda: a_model(5), r"shape or dtype: .*\(3, 5\) in the model, float32 \(3, 4\) in the file"),
    "missing": (lambda: a_model(extra=True), r"missing from the file: "),
    "unexpected": (lambda: a_model(optimizer="sgd"), r"unexpected: .*optimizer"),
    "dtype": (lambda: a_model(dtype="float64"), r"shape or dtype: .*float64 .* in the model, float32 .* in the file"),
    "slot": (lambda: a_model(optimizer="adadelta"), r"slot: .* in the model, .* in the file"),
}


@every_kind
@pytest.mark.parametrize(("other", "message"), OTHER_MODELS.values(), ids=OTHER_MODELS)
def test_a_model_that_differs_gets_every_difference_and_nothing_is_loaded(
    run: Path, kind: str, other: Callable[[], Model], message: str
) -> None:
    model = a_model()
    train(model)
    path = save(model, kind, run)
    hand_over(run, path.name)
    model = other()
    model.optimizer.build(model.trainable_variables)
    before = values(model)
    with pytest.raises(MismatchError, match=message):
        resume(run, model=model)
    assert values(model) == before


@every_kind
def test_each_variable_and_each_slot_of_another_shape_is_named(run: Path, kind: str) -> None:
    model = a_model()
    train(model)
    hand_over(run, save(model, kind, run).name)
    with pytest.raises(MismatchError) as caught:
        resume(run, model=a_model(5))
    assert len(caught.value.differences) == 9  # two kernels and a bias, with two slots each


@every_kind
def test_a_file_that_was_changed_is_refused_before_anything_is_loaded(run: Path, kind: str) -> None:
    model = a_model()
    train(model)
    path = save(model, kind, run)
    hand_over(run, path.name)
    victim = path if kind != "bundle" else path.with_name("ckpt-1.index")
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    before = values(model)
    with pytest.raises(ResumeError, match=rf"{victim.name} has other content"):
        resume(run, model=model)
    assert values(model) == before


def test_an_error_while_loading_puts_the_former_values_back(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = a_model()
    train(model)
    save(model, "weights", run)
    model = a_model()
    model.optimizer.build(model.trainable_variables)
    before, whole = values(model), model.load_weights

    def cut_short(path: str) -> None:
        whole(path)
        raise OSError("the disk went away")

    monkeypatch.setattr(model, "load_weights", cut_short)
    with pytest.raises(ResumeError, match="the former values were put back: the disk went away"):
        resume(run, model=model)
    assert values(model) == before


@every_kind
def test_without_a_manifest_the_newest_that_can_be_read_is_restored(run: Path, kind: str) -> None:
    model = a_model()
    for number in (1, 2, 3):
        train(model)
        if number == 2:
            wanted = values(model)
        path = save(model, kind, run, number)
        for file in run.glob(f"{path.name}*"):
            os.utime(file, (number, number))
    victim = path if kind != "bundle" else path.with_name("ckpt-3.data-00000-of-00001")
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    model = a_model()
    start = resume(run, model=model, steps_per_epoch=STEPS)
    assert start.source == path.name.replace("3", "2")
    assert (start.step, start.epoch, start.batch) == (4, 2, 0)
    assert values(model) == wanted
    assert f"{path.name} is passed over, it cannot be restored" in start.warnings[0]


def test_nothing_to_resume_is_a_fresh_start_said_in_one_line(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    start = resume(run, model=a_model())
    assert (start.source, start.step, start.epoch, start.batch, start.warnings) == (None, 0, 0, 0, [])
    assert caplog.messages == [f"{run}: no manifest and no checkpoint, a fresh start."]


def test_after_a_restart_the_newest_that_was_saved_since_the_claim_is_restored(run: Path) -> None:
    model = a_model()
    for number in (1, 2):
        train(model)
        path = save(model, "keras", run, number)
        os.utime(path, (number, number))
    hand_over(run, "epoch-1.keras", Mode.REWIND)
    model = a_model()
    assert resume(run, model=model).source == "epoch-1.keras"
    model = a_model()
    assert resume(run, model=model).source == "epoch-1.keras"  # nothing was saved since
    train(model)
    save(model, "keras", run, 7)
    wanted = values(model)
    model = a_model()
    start = resume(run, model=model)
    assert (start.source, start.step, values(model)) == ("epoch-7.keras", 4, wanted)
    claims = list((run / ".waypoint/claims").glob("*.claim"))
    assert [json.loads(path.read_text())["checkpoint"] for path in claims] == ["epoch-7.keras"]


@every_kind
def test_weights_alone_are_restored_and_the_optimizer_is_said_to_restart(run: Path, kind: str) -> None:
    model = a_model()
    train(model)
    wanted = [weight.numpy().tobytes() for weight in model.weights]
    bare = a_model(optimizer=None)
    bare.set_weights(model.get_weights())
    run.mkdir(parents=True)
    if kind == "bundle":
        tf.train.Checkpoint(model=bare).write(str(run / "ckpt-1"))
        name = "ckpt-1"
    else:
        name = save(bare, kind, run).name
    hand_over(run, name)
    model = a_model()
    start = resume(run, model=model)
    assert [weight.numpy().tobytes() for weight in model.weights] == wanted
    assert int(model.optimizer.iterations) == 0
    assert OPTIMIZER_RESTARTS in start.warnings


def test_an_unknown_epoch_is_refused_and_names_the_argument(run: Path) -> None:
    model = a_model()
    train(model)
    save(model, "bundle", run)
    start = resume(run, model=a_model())
    assert (start.step, start.batch) == (2, None)
    with pytest.raises(ResumeError, match=r"epoch of ckpt-1 is not recorded: give resume\(\) steps_per_epoch="):
        _ = start.epoch


@pytest.mark.parametrize("is_guard", [True, False], ids=["guard", "waypoint"])
def test_where_nothing_tells_the_epoch_the_one_given_to_fit_stands_and_none_is_guessed(
    run: Path, *, is_guard: bool
) -> None:
    run.mkdir(parents=True)
    a_model(optimizer=None).save_weights(run / "last.weights.h5")
    hand_over(run, "last.weights.h5")
    seen: list[int] = []
    note = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _logs: seen.append(epoch))
    model = a_model()
    last = resume(run, model=model).guard if is_guard else Waypoint(run)
    with pytest.raises(ResumeError, match=r"give it to fit\(initial_epoch="):
        train(model, epochs=4, callbacks=[note, last])
    assert seen == []
    model = a_model()
    last = resume(run, model=model).guard if is_guard else Waypoint(run)
    train(model, epochs=2, first=2, callbacks=[note, last])
    assert seen == [2, 3]


def test_a_checkpoint_in_mid_epoch_warns(run: Path) -> None:
    model = a_model()
    train(model, epochs=2)
    save(model, "bundle", run)
    start = resume(run, model=a_model(), steps_per_epoch=3)
    assert (start.step, start.epoch, start.batch) == (4, 1, 1)
    assert any(
        "in mid-epoch, after 1 batches: Waypoint and start.guard let fit() go on" in text for text in start.warnings
    )


def test_overrides_are_applied_after_the_optimizer_was_restored(run: Path) -> None:
    model = a_model()
    train(model)
    hand_over(run, save(model, "bundle", run).name, overrides={"learning_rate": 0.25, "beta_1": 0.5})
    model = a_model()
    start = resume(run, model=model)
    assert float(model.optimizer.learning_rate) == 0.25
    assert model.optimizer.beta_1 == 0.5
    assert start.overrides == {"learning_rate": 0.25, "beta_1": 0.5}


SCHEDULE = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)


def test_a_learning_rate_on_a_schedule_is_refused_and_the_schedule_goes_on(run: Path) -> None:
    model = a_model(optimizer=keras.optimizers.Adam(SCHEDULE))
    train(model, epochs=2)
    path = save(model, "bundle", run)
    wanted = values(model)
    hand_over(run, path.name, overrides={"learning_rate": 0.1, "speed": 3})
    model = a_model(optimizer=keras.optimizers.Adam(SCHEDULE))
    with pytest.raises(ResumeError, match="follows a schedule, which cannot be assigned to\n  speed: Adam has"):
        resume(run, model=model)
    hand_over(run, path.name)
    resume(run, model=model)
    assert values(model) == wanted
    assert float(model.optimizer.learning_rate) == pytest.approx(float(SCHEDULE(4)))


@every_kind
def test_mixed_precision_counts_the_inner_steps(run: Path, kind: str) -> None:
    def mixed() -> Model:
        return a_model(optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()))

    model = mixed()
    train(model, epochs=3)
    wanted = values(model)
    hand_over(run, save(model, kind, run).name)
    model = mixed()
    start = resume(run, model=model, steps_per_epoch=STEPS)
    assert start.step == 6
    assert values(model) == wanted


def test_the_guard_stops_a_fit_that_something_else_restored_over(run: Path, tmp_path: Path) -> None:
    class Killed(keras.callbacks.Callback):  # type: ignore[misc]
        """Ends the training as a kill would, so that BackupAndRestore's data stay."""

        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            del logs
            if epoch == 2:
                raise KeyboardInterrupt

    backup = keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
    model = a_model()
    train(model)
    hand_over(run, save(model, "keras", run).name)
    with pytest.raises(KeyboardInterrupt):
        train(model, epochs=3, callbacks=[backup, Killed()])
    model = a_model()
    start = resume(run, model=model)
    with pytest.raises(ResumeError, match=r"Something restored over epoch-1.keras .* take it out of this job"):
        train(model, first=start.epoch, epochs=3, callbacks=[backup, start.guard])
    model = a_model()
    start = resume(run, model=model)
    train(model, first=start.epoch, epochs=3, callbacks=[start.guard])
    assert int(model.optimizer.iterations) == 8
    [claim] = [json.loads(path.read_text()) for path in (run / ".waypoint/claims").glob("*.claim")]
    assert claim["finished_at"] >= claim["claimed_at"]


def test_a_manager_whose_latest_is_another_one_is_warned_about(run: Path) -> None:
    model = a_model()
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    manager = tf.train.CheckpointManager(checkpoint, str(run), max_to_keep=None)
    manager.save()
    former = tf.train.CheckpointManager(checkpoint, str(run), max_to_keep=None)
    train(model)
    manager.save()
    hand_over(run, "ckpt-2")
    start = resume(run, manager=former)
    assert (start.source, start.step) == ("ckpt-2", 2)
    assert any("ckpt-1, not ckpt-2: this job must not restore from it" in text for text in start.warnings)
    assert not any("must not restore from it" in text for text in resume(run, manager=manager).warnings)


def test_a_manager_that_was_made_before_a_rewind_keeps_and_rotates_only_what_is_there(run: Path) -> None:
    model = a_model()
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    manager = tf.train.CheckpointManager(checkpoint, str(run), max_to_keep=3)
    for _ in range(3):
        train(model)
        manager.save()
    hand_over(run, "ckpt-1", Mode.REWIND)
    start = resume(run, manager=manager)
    assert (start.source, manager.latest_checkpoint) == ("ckpt-1", str(run / "ckpt-1"))
    assert not any("must not restore from it" in text for text in start.warnings)
    assert any("ckpt-2" in text and "Set aside" in text for text in start.warnings)
    for _ in range(2):
        train(model)
        manager.save()
    assert manager.checkpoints == [str(run / f"ckpt-{number}") for number in (1, 2, 3)]
    assert sorted(path.name for path in run.glob("*.index")) == [f"ckpt-{number}.index" for number in (1, 2, 3)]
    manager.save()
    assert sorted(path.name for path in run.glob("*.index")) == [f"ckpt-{number}.index" for number in (2, 3, 4)]


def test_a_rewind_moves_nothing_if_the_model_does_not_fit_and_says_so_in_the_claim(run: Path) -> None:
    model = a_model()
    for number in (1, 2):
        train(model)
        save(model, "keras", run, number)
    hand_over(run, "epoch-1.keras", Mode.REWIND)
    with pytest.raises(MismatchError) as caught:
        resume(run, model=a_model(5))
    assert (run / "epoch-2.keras").exists()
    save(model, "keras", run, 3)  # by a job that nobody ended
    (record,) = (json.loads(path.read_text()) for path in (run / ".waypoint/claims").iterdir())
    assert record["error"] == str(caught.value)
    start = resume(run, model=a_model())  # the job was put right
    assert start.source == "epoch-1.keras"
    assert not (run / "epoch-2.keras").exists()
    assert not (run / "epoch-3.keras").exists()
    (record,) = (json.loads(path.read_text()) for path in (run / ".waypoint/claims").iterdir())
    assert "error" not in record


def test_backup_data_are_set_aside_by_a_rewind_so_that_nothing_is_restored_over_it(run: Path) -> None:
    model = a_model()
    backup = keras.callbacks.BackupAndRestore(str(run / "backup"), delete_checkpoint=False)
    train(model, callbacks=[backup])
    path = save(model, "keras", run)
    train(model, 2, callbacks=[backup])
    hand_over(run, path.name, Mode.REWIND)
    model = a_model()
    start = resume(run, model=model)
    assert (run / ".waypoint/rewound").is_dir()
    assert not list((run / "backup").iterdir())
    backup = keras.callbacks.BackupAndRestore(str(run / "backup"), delete_checkpoint=False)
    train(model, 1, first=1, callbacks=[backup, start.guard])
    assert start.source == path.name


@every_kind
def test_a_dropout_model_is_restored_and_told_that_no_state_is_kept_beside_it(run: Path, kind: str) -> None:
    model = a_model(dropout=True)
    train(model)
    wanted = values(model)
    hand_over(run, save(model, kind, run).name)
    model = a_model(dropout=True)
    start = resume(run, model=model)
    assert values(model) == wanted
    assert start.warnings[-1].startswith(f"No state is kept beside {start.source}: random generators begin anew")


def test_an_unbuilt_model_and_an_unknown_optimizer_are_refused(run: Path) -> None:
    with pytest.raises(ResumeError, match="has no variables yet"):
        resume(run, model=keras.Sequential([keras.layers.Dense(1)]))
    with pytest.raises(ResumeError, match="pass model=, checkpoint= or manager="):
        resume(run)
    save(a_model(), "weights", run)
    two = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    two.one, two.other = a_model(), a_model()
    two.compile(loss="mse")
    two.own = keras.optimizers.Adam()
    with pytest.raises(ResumeError, match=r"What the optimizer .* trains cannot be told"):
        resume(run, model=two)
    assert not (run / ".waypoint/lease.json").exists()


def test_a_first_save_that_was_cut_does_not_stand_in_the_way_of_a_fresh_start(run: Path) -> None:
    path = save(a_model(), "keras", run)
    path.write_bytes(path.read_bytes()[:100])
    start = resume(run, model=a_model())
    assert start.source is None
    assert "epoch-1.keras is passed over, it cannot be restored" in start.warnings[0]


def test_whole_checkpoints_of_another_model_do(run: Path) -> None:
    save(a_model(5), "keras", run)
    with pytest.raises(MismatchError, match=r"epoch-1\.keras does not fit the model"):
        resume(run, model=a_model())


@pytest.mark.parametrize("kind", ["weights", "keras", "h5", "saved-model", "orbax"])
def test_a_loop_with_a_checkpoint_alone_is_told_to_pass_its_model(run: Path, kind: str) -> None:
    live = Live(None, tf.train.Checkpoint(step=tf.Variable(0)), None, None)
    with pytest.raises(ResumeError, match=r"pass the Keras model as model= to resume\(\)"):
        plan_for(run / "file", {"weights": "weights-h5", "h5": "hdf5"}.get(kind, kind), live)


def test_sharded_weights_are_refused_in_one_sentence(run: Path) -> None:
    run.mkdir(parents=True)
    a_model().save_weights(run / "w.weights.json", max_shard_size=1e-7)
    hand_over(run, "w.weights.json")
    with pytest.raises(ResumeError, match=r"w\.weights\.json is sharded, which this client does not restore"):
        resume(run, model=a_model())


def test_variables_saved_by_name_are_refused_in_one_sentence(run: Path) -> None:
    run.mkdir(parents=True)
    tf.raw_ops.SaveV2(
        prefix=str(run / "model-1"), tensor_names=["w"], shape_and_slices=[""], tensors=[tf.constant([1.0])]
    )
    hand_over(run, "model-1")
    with pytest.raises(ResumeError, match=r"TF1's kind, saved by name: restore it with tf\.compat\.v1"):
        resume(run, model=a_model())


def test_a_run_inside_the_run_and_what_was_set_aside_are_left_alone(run: Path) -> None:
    for folder in ("inner", ".waypoint/rewound/x", ".waypoint/quarantine/y"):
        save(a_model(), "keras", run / folder)
    (run / "inner/.waypoint").mkdir()
    (run / "inner/.waypoint/run.json").write_text("{}")
    assert resume(run, model=a_model()).source is None


def test_a_model_that_was_saved_as_the_root_is_restored_with_and_without_its_checkpoint(run: Path) -> None:
    model = a_model()
    train(model)
    run.mkdir(parents=True)
    counted = tf.Variable(5)
    tf.train.Checkpoint(model).write(str(run / "ckpt"))
    wanted = values(model)
    model = a_model()
    assert resume(run, model=model).source == "ckpt"
    assert values(model) == wanted
    tf.train.Checkpoint(model, counted=counted).write(str(run / "more"))
    model, counted = a_model(), tf.Variable(0)
    assert resume(run, checkpoint=tf.train.Checkpoint(model, counted=counted)).source == "more"
    assert (values(model), int(counted)) == (wanted, 5)


def test_a_manager_without_a_manifest_restores_its_own_newest(run: Path) -> None:
    model = a_model()
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    manager = tf.train.CheckpointManager(checkpoint, str(run / "own"), max_to_keep=None)
    for _ in range(2):
        train(model)
        manager.save()
    wanted = values(model)
    train(model)
    save(model, "bundle", run / "own", 7)
    (run / "own/ckpt-7.index").rename(run / "own/best-7.index")
    (run / "own/ckpt-7.data-00000-of-00001").rename(run / "own/best-7.data-00000-of-00001")
    save(model, "bundle", run)
    start = resume(run, model=model, manager=manager)
    assert (start.source, start.step, values(model)) == ("own/ckpt-2", 4, wanted)
    assert manager.save().endswith("ckpt-3")


@pytest.mark.parametrize("end", ["", ".bkp"])
def test_backup_and_restore_data_tell_the_epoch(run: Path, end: str) -> None:
    model = a_model()
    train(model, epochs=3)
    path = save(model, "weights", run / "backup")
    path.rename(path.with_name(f"latest.weights.h5{end}"))
    (run / f"backup/training_metadata.json{end}").write_text('{"epoch": 3, "batch": 0}')
    again = a_model()
    start = resume(run, model=again)
    assert (start.source, start.epoch) == (f"backup/latest.weights.h5{end}", 3)
    assert values(again) == values(model)


def test_the_manifests_epoch_and_best_value_are_handed_on(run: Path) -> None:
    model = a_model()
    train(model)
    hand_over(run, save(model, "keras", run, 3).name)
    path = run / "resume_manifest.json"
    manifest = json.loads(path.read_text())
    manifest["restore"]["best_metric"] = {"name": "val_loss", "value": 0.5, "mode": "min"}
    path.write_text(json.dumps(manifest))
    start = resume(run, model=a_model())
    assert (start.epoch, start.best) == (3, {"name": "val_loss", "value": 0.5, "mode": "min"})


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("kind", ["bundle", "h5", "tf-weights", "keras", "weights"])
def test_a_legacy_optimizer_of_tf_keras_is_exact_or_said_to_restart(run: Path, kind: str) -> None:
    import tf_keras

    def made() -> Model:
        tf_keras.backend.clear_session()
        layers = [tf_keras.layers.Input((3,)), tf_keras.layers.Dense(4), tf_keras.layers.Dense(1)]
        model = tf_keras.Sequential(layers)
        model.compile(tf_keras.optimizers.legacy.Adam(0.01), "mse", run_eagerly=True)
        return model

    def state(model: Model) -> list[bytes]:
        return [variable.numpy().tobytes() for variable in [*model.weights, *model.optimizer.variables()]]

    model = made()
    train(model)
    if kind == "tf-weights":
        model.save_weights(str(run / "epoch-1"))
    else:
        save(model, kind, run)
    again = made()
    start = resume(run, model=again)
    told = any("the optimizer restarts" in text for text in start.warnings)
    assert told == (kind in ("keras", "weights"))  # tf-keras leaves a legacy optimizer out of these files
    assert (state(again) == state(model)) != told
    assert [v.numpy().tolist() for v in again.weights] == [v.numpy().tolist() for v in model.weights]


class Inside(keras.Model):  # type: ignore[misc]
    """A model of a class of its own, with a model inside."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(2)])
        self.out = keras.layers.Dense(1)

    def call(self, inputs: Any) -> Any:  # noqa: ANN401
        """The output of the outer layer."""
        return self.out(self.inner(inputs))


@pytest.mark.parametrize("kind", ["bundle", "weights", "keras"])
def test_a_subclassed_model_with_a_model_inside_is_restored_exactly(run: Path, kind: str) -> None:
    def made() -> Model:
        keras.utils.clear_session()
        model = Inside()
        model(X[:1])
        model.compile("adam", "mse", run_eagerly=True)
        return model

    model = made()
    train(model)
    save(model, kind, run)
    again = made()
    resume(run, model=again)
    assert values(again) == values(model)


def test_times_of_a_copied_run_tell_nothing_so_the_numbers_order_it(run: Path) -> None:
    for number in (9, 10):
        model = a_model()
        train(model)
        path = save(model, "keras", run, number)
        os.utime(path, (10 - number / 10, 10 - number / 10))
    assert resume(run, model=a_model()).source == "epoch-10.keras"


def test_a_folder_that_people_named_like_a_temporary_one_is_looked_into(run: Path) -> None:
    model = a_model()
    train(model)
    save(model, "keras", run / "softmax_temp")
    (run / "ckpt-9_temp").mkdir()
    (run / "ckpt-9_temp/part-00000-of-00001.data-00000-of-00001").write_bytes(b"a save that was cut")
    os.mkfifo(run / "pipe.keras")
    assert resume(run, model=a_model()).source == "softmax_temp/epoch-1.keras"


def test_a_managers_folder_behind_a_link_is_found_and_one_elsewhere_is_no_fresh_start(
    run: Path, tmp_path: Path
) -> None:
    model = a_model()
    train(model)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    (tmp_path / "scratch").mkdir()
    tf.train.CheckpointManager(checkpoint, str(tmp_path / "scratch"), max_to_keep=2).save()
    run.mkdir(parents=True)
    (run / "ckpts").symlink_to(tmp_path / "scratch")
    manager = tf.train.CheckpointManager(checkpoint, str(run / "ckpts"), max_to_keep=2)
    start = resume(run, manager=manager)
    assert start.source == "ckpts/ckpt-1"
    assert not any("must not restore from it" in text for text in start.warnings)
    outside = tf.train.CheckpointManager(checkpoint, str(tmp_path / "scratch"), max_to_keep=2)
    with pytest.raises(ResumeError, match=r"it is a link to|a fresh start would save over it"):
        resume(run, manager=outside)


def test_a_restart_goes_on_from_what_it_saved_although_the_file_tells_no_step(run: Path) -> None:
    model = a_model(optimizer=None)
    run.mkdir(parents=True)
    model.save_weights(run / "w-20.weights.h5")
    hand_over(run, "w-20.weights.h5")
    assert resume(run, model=model).source == "w-20.weights.h5"
    model.save_weights(run / "w-30.weights.h5")
    assert resume(run, model=model).source == "w-30.weights.h5"


def test_an_override_is_applied_to_the_pick_and_not_to_what_was_saved_since(run: Path) -> None:
    model = a_model()
    train(model)
    hand_over(run, save(model, "keras", run).name, overrides={"learning_rate": 0.25})
    model = a_model()
    resume(run, model=model)
    assert float(model.optimizer.learning_rate) == 0.25
    model.optimizer.learning_rate = 0.125
    save(model, "keras", run, 7)
    model = a_model()
    assert resume(run, model=model).source == "epoch-7.keras"
    assert float(model.optimizer.learning_rate) == 0.125


def test_overrides_that_an_optimizer_takes_only_when_it_is_made_are_refused(run: Path) -> None:
    odd = {"use_ema": True, "gradient_accumulation_steps": 4, "clipnorm": -1, "learning_rate": 10**400}
    model = a_model()
    train(model)
    hand_over(run, save(model, "keras", run).name)
    for name, value in odd.items():
        path = run / "resume_manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"overrides": {name: value}}))
        with pytest.raises(ResumeError, match=name):
            resume(run, model=a_model())


def test_a_rate_in_a_name_is_no_epoch_and_two_records_that_differ_are_told(run: Path) -> None:
    model = a_model()
    train(model, epochs=3)
    run.mkdir(parents=True)
    model.save(run / "adam-lr1e-4.keras")
    start = resume(run, model=a_model(), steps_per_epoch=STEPS)
    assert start.epoch == 3
    (run / "adam-lr1e-4.keras").rename(run / "epoch-5.keras")
    start = resume(run, model=a_model(), steps_per_epoch=STEPS)
    assert start.epoch == 5
    assert any("5 epochs are done by its record, and 3 by its step" in text for text in start.warnings)
