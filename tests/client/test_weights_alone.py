"""The weights of a checkpoint alone: for other layers that are trained, for another optimizer, in real training."""

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from core.config.settings import load
from core.resume.manifest import Mode, to_json
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace
from waypoint_resume import MismatchError, ResumeError, Waypoint, resume
from waypoint_resume.fit_order import forget_order
from waypoint_resume.kept import kept_in
from waypoint_resume.manifest import MANIFEST_SPEC
from waypoint_resume.spec import problems_of

Model = Any  # Keras has no types
X = np.linspace(-1, 1, 48, dtype="float32").reshape(16, 3)
Y = X.sum(axis=1, keepdims=True)

pytestmark = pytest.mark.usefixtures("one_job")


class Case(NamedTuple):
    """A Keras, what saves a model in one of its formats, and what the file does not tell: layers, class."""

    keras: Any
    save: Callable[[Model, Path], object]
    untold: str = ""


def _bundle(model: Model, run: Path) -> object:
    return tf.train.CheckpointManager(tf.train.Checkpoint(model=model, optimizer=model.optimizer), run, 3).save()


def _orbax(model: Model, run: Path) -> object:
    return model.fit(X, Y, verbose=0, callbacks=[keras.callbacks.OrbaxCheckpoint(run, save_on_background=False)])


def _tf_keras_h5(model: Model, run: Path) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the format is an old one
        return model.save(run / "a.h5", save_format="h5")


CASES = {
    "keras 3, .keras": Case(keras, lambda model, run: model.save(run / "a.keras")),
    "keras 3, .weights.h5": Case(keras, lambda model, run: model.save_weights(run / "a.weights.h5"), "layers"),
    "keras 3, .h5": Case(keras, lambda model, run: model.save(run / "a.h5")),
    "keras 3, Orbax": Case(keras, _orbax),
    "keras 3, bundle": Case(keras, _bundle),
    "tf-keras, .keras": Case(tf_keras, lambda model, run: model.save(run / "a.keras")),
    "tf-keras, .weights.h5": Case(
        tf_keras, lambda model, run: model.save_weights(run / "a.weights.h5"), "layers, class"
    ),
    "tf-keras, .h5": Case(tf_keras, _tf_keras_h5),
    "tf-keras, TF form": Case(tf_keras, lambda model, run: model.save_weights(run / "a", save_format="tf")),
    "tf-keras, SavedModel": Case(tf_keras, lambda model, run: model.save(run / "a", save_format="tf")),
    "tf-keras, bundle": Case(tf_keras, _bundle),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """An empty run."""
    run = tmp_path / "run"
    run.mkdir()
    return run


def a_model(of: Any, frozen: str = "", optimizer: Any = None) -> Model:  # noqa: ANN401
    """Two layers alike in a model of their own, and one behind it; some frozen; not compiled for an optimizer of ''."""
    of.backend.clear_session()
    of.utils.set_random_seed(len(frozen) + 1)
    layers = [of.layers.Dense(3, name="a"), of.layers.Dense(3, name="b")]
    inner = of.Sequential([of.Input((3,)), *layers], name="inner")
    model = of.Sequential([of.Input((3,)), inner, of.layers.Dense(1, name="c")], name="outer")
    for layer in (*layers, model.get_layer("c")):
        layer.trainable = layer.name not in frozen
    if optimizer != "":
        model.compile(optimizer or of.optimizers.Adam(0.01), "mse")
    return model


def train(model: Model, epochs: int = 1, callbacks: list[Any] | None = None, first: int = 0) -> None:
    """Some epochs of two batches each."""
    named = {"batch_size": 8, "shuffle": False, "verbose": 0, "callbacks": callbacks or []}
    model.fit(X, Y, epochs=epochs, initial_epoch=first, **named)


def weights(model: Model) -> dict[str, bytes]:
    """Every weight by its layer and place."""
    layers = [*model.get_layer("inner").layers, model.get_layer("c")]
    return {
        f"{layer.name}/{place}": item.tobytes() for layer in layers for place, item in enumerate(layer.get_weights())
    }


def saved(case: Case, run: Path, frozen: str = "a") -> dict[str, bytes]:
    """Train with some layers frozen, and save; the weights then."""
    model = a_model(case.keras, frozen)
    train(model)
    case.save(model, run)
    return weights(model)


@every_case
def test_an_unfrozen_layer_is_named_and_its_weights_go_on_with_a_fresh_optimizer(run: Path, case: Case) -> None:
    before = saved(case, run)
    model = a_model(case.keras)
    with pytest.raises(MismatchError) as caught:
        resume(run, model=model)
    told = "layer inner/a is trainable now and was frozen when this was saved"
    if "layers" in case.untold:  # `a` and `b` are alike
        told = "other layers were trained, or it was of another class"
    assert caught.value.differences[0].endswith(told)
    assert "weights_only=True" in str(caught.value)
    start = resume(run, model=model, weights_only=True)
    assert weights(model) == before
    assert (start.epoch, start.batch, start.step, int(model.optimizer.iterations)) == (0, 0, 0, 0)
    assert not np.any([np.any(item.numpy()) for item in _slots(model)])
    start.finish()


def _slots(model: Model) -> list[Any]:
    own = model.optimizer.variables
    return [item for item in (own() if callable(own) else own) if tuple(item.shape)]


@every_case
def test_an_optimizer_of_another_class_is_named_and_the_weights_are_taken_alone(run: Path, case: Case) -> None:
    before = saved(case, run, frozen="")
    model = a_model(case.keras, optimizer=case.keras.optimizers.SGD(0.5, momentum=0.9))
    told = r"(?i:the optimizer is SGD now and was adam when this was saved)"
    if "class" in case.untold:
        told = "the optimizer had 13 values when this was saved and has 7 now"
    with pytest.raises(MismatchError, match=told) as caught:
        resume(run, model=model)
    assert "weights_only=True" in str(caught.value)
    start = resume(run, model=model, weights_only=True)
    assert weights(model) == before
    assert float(model.optimizer.learning_rate) == 0.5
    assert start.receipt is not None
    assert start.receipt.optimizer == "SGD restarts"
    if "class" not in case.untold:  # tf-keras keeps the rate in its configuration alone
        assert "the override learning_rate=0.01, " in str(start.receipt.learning_rate_told)
    start.finish()


@every_case
def test_a_model_that_is_not_compiled_takes_the_weights_and_says_so(run: Path, case: Case) -> None:
    before = saved(case, run)
    model = a_model(case.keras, "a", optimizer="")
    start = resume(run, model=model)
    assert weights(model) == before
    assert any("The model is not compiled" in text for text in start.warnings)
    model.compile(case.keras.optimizers.Adam(0.01), "mse")
    train(model, callbacks=[], first=0)
    assert int(model.optimizer.iterations) == 2  # nothing came later, when compile() made the optimizer
    start.finish()


@every_case
def test_layers_that_change_places_are_no_fit_even_if_every_shape_is(run: Path, case: Case) -> None:
    """`a` and `b` have the same shapes: the optimizer's values of the one would go to the other without a word."""
    saved(case, run, frozen="a")
    if "layers" in case.untold:
        return  # nobody can know
    with pytest.raises(MismatchError) as caught:
        resume(run, model=a_model(case.keras, "b"))
    assert {item for item in caught.value.differences if item.startswith("layer")} == {
        "layer inner/a is trainable now and was frozen when this was saved",
        "layer inner/b is frozen now and was trainable when this was saved",
    }


def test_keras_itself_would_swap_the_layers_of_an_h5_file(run: Path) -> None:
    """Why `.h5` files are loaded by names: the order within a nested model follows what is frozen."""
    before = saved(CASES["keras 3, .h5"], run)
    model = a_model(keras)
    model.load_weights(run / "a.h5")
    swapped = weights(model)
    assert [swapped[f"{one}/0"] for one in "ab"] == [before[f"{one}/0"] for one in "ba"]
    resume(run, model=model, weights_only=True).finish()
    assert weights(model) == before


def saver(run: Path) -> Any:  # noqa: ANN401
    """The callback of every tutorial, made anew by each start."""
    return keras.callbacks.ModelCheckpoint(run / "epoch-{epoch:02d}.keras")


def test_a_job_that_is_started_again_goes_on_from_its_own_saves_as_if_nothing_had_happened(
    run: Path, tmp_path: Path
) -> None:
    """Phase one with `a` frozen; phase two, with all layers, is ended after one epoch of three and started again."""
    train(a_model(keras, "a"), 2, [saver(run)])
    first = keras.saving.load_model(run / "epoch-02.keras").get_layer("inner").get_layer("a").get_weights()
    unbroken = tmp_path / "unbroken"
    unbroken.mkdir()
    whole = a_model(keras)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the optimizer is another one
        whole.load_weights(run / "epoch-02.keras", skip_mismatch=True)
    whole.compile(keras.optimizers.Adam(0.02), "mse")
    train(whole, 3, [saver(unbroken)])

    def phase_two(epochs: int) -> Waypoint:
        forget_order()  # as a process of its own
        model = a_model(keras, optimizer=keras.optimizers.Adam(0.02))
        watch = Waypoint(run, weights_only=True)
        train(model, epochs, [saver(run), watch])
        assert (epochs < 3) or weights(model) == weights(whole)
        return watch

    started = phase_two(1).start
    assert started is not None
    assert (started.source, started.weights_only) == ("epoch-02.keras", True)
    assert sorted(path.name for path in run.glob("*.keras")) == ["epoch-01.keras", "epoch-02.keras"]
    again = phase_two(3).start
    assert again is not None
    assert (again.source, again.weights_only, again.epoch) == ("epoch-01.keras", False, 1)
    (aside,) = run.glob(".waypoint/rewound/*/files/epoch-01.keras")  # phase one's, which phase two saved over
    model = keras.saving.load_model(aside)
    assert int(model.optimizer.iterations) == 2
    (kept,) = kept_in(run)  # phase one's last, over which epoch 2 was saved
    model = keras.saving.load_model(kept.folder / "files" / "epoch-02.keras")
    assert all(map(np.array_equal, first, model.get_layer("inner").get_layer("a").get_weights()))


def test_before_it_has_saved_anything_the_same_weights_are_taken_again(run: Path) -> None:
    before = saved(CASES["keras 3, .keras"], run)
    for _ in range(2):
        model = a_model(keras)
        start = resume(run, model=model, weights_only=True)
        assert (start.weights_only, weights(model)) == (True, before)
    assert len(list(kept_in(run))) == 1
    (run / "a.keras").unlink()  # as a save over it that a kill cut would
    model = a_model(keras)
    start = resume(run, model=model, weights_only=True)
    assert (start.weights_only, weights(model)) == (True, before)
    (kept,) = kept_in(run)
    (kept.place).unlink()
    with pytest.raises(ResumeError, match="is not there any more as it was, no copy of it is kept"):
        resume(run, model=a_model(keras), weights_only=True)


def test_saves_of_its_own_that_do_not_fit_stop_it_instead_of_being_passed_over(run: Path) -> None:
    saved(CASES["keras 3, .keras"], run)
    train(a_model(keras, "b"), 1, [saver(run), Waypoint(run, weights_only=True)])
    with pytest.raises(
        MismatchError, match=r"(?s)layer inner/b is trainable now.*began with the weights of a\.keras"
    ) as caught:
        resume(run, model=a_model(keras), weights_only=True)
    assert "hand it over so" in str(caught.value)
    assert "resume(run" not in str(caught.value)  # which was done, once
    assert (run / "epoch-01.keras").exists()


def test_weights_alone_of_nothing_is_an_error_and_not_a_training_from_nothing(run: Path) -> None:
    with pytest.raises(ResumeError, match=r"nothing lies in .* whose weights could be taken"):
        resume(run, model=a_model(keras), weights_only=True)
    with pytest.raises(ResumeError, match="leave one out"):
        resume(run, model=a_model(keras), weights_only=True, fresh=True)


def test_other_trainings_below_the_named_folder_stay_where_they_are(run: Path) -> None:
    """A folder that is no part of the run by its name may be another training's."""
    (run / "fold-1").mkdir()
    a_model(keras).save(run / "fold-1" / "a.keras")
    saved(CASES["keras 3, .keras"], run)
    (run / "ckpts").mkdir()
    (run / "a.keras").rename(run / "z.keras")
    a_model(keras).save(run / "ckpts" / "old.keras")
    os.utime(run / "ckpts" / "old.keras", (1e9, 1e9))
    os.utime(run / "fold-1" / "a.keras", (1e9, 1e9))
    resume(run, model=a_model(keras), weights_only=True).finish()
    left = sorted(path.relative_to(run).as_posix() for path in run.glob("**/*.keras") if ".waypoint" not in path.parts)
    assert left == ["fold-1/a.keras", "z.keras"]


@pytest.mark.parametrize("mode", [Mode.FORK, Mode.REWIND])
def test_a_hand_over_says_weights_alone_and_the_script_needs_no_argument(tmp_path: Path, mode: Mode) -> None:
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    train(a_model(keras, "a"), 3, [saver(run)])
    before = weights(keras.saving.load_model(run / "epoch-02.keras"))
    target = hand_over(run, "epoch-02.keras", mode)
    model = a_model(keras)
    watch = Waypoint(target)
    train(model, 1, [saver(target), watch])
    start = watch.start
    assert start is not None
    assert (start.source, start.weights_only, start.step, start.epoch) == ("epoch-02.keras", True, 0, 0)
    assert weights(model) != before
    assert start.overrides == {"learning_rate": 0.005}
    assert float(model.optimizer.learning_rate) == pytest.approx(0.005)
    (receipt,) = (json.loads(path.read_text()) for path in target.glob(".waypoint/receipts/*.json"))
    assert (receipt["weights_only"], receipt["learning_rate_told"], receipt["step"]) == (True, None, 0)
    if mode is Mode.FORK:
        assert sorted(path.name for path in run.glob("*.keras")) == [f"epoch-0{number}.keras" for number in (1, 2, 3)]
    else:
        aside = {path.name for path in run.glob(".waypoint/rewound/*/files/*.keras")}
        assert aside == {"epoch-01.keras", "epoch-03.keras"}


def hand_over(run: Path, name: str, mode: Mode) -> Path:
    """Hand the weights of a checkpoint over with the dashboard's own code; the folder that the job is to name."""
    settings = load(roots_override=[run.parent]).model_copy(update={"home": run.parents[1] / "home"})
    workspace = Workspace.open(settings)
    workspace.refresh()
    found = workspace.find_run(run.name)
    (picked,) = (item for item in workspace.members(found.root, found.path) if item.path.endswith(name))
    proposal = propose(workspace, picked, mode, weights_only=True)
    assert not proposal.outlook(Mode.CONTINUE).possible
    accepted = [warning.id for warning in proposal.warnings]
    assert "weights-alone" in accepted
    manifest, path = resume_from(
        workspace,
        picked,
        proposal,
        note="",
        accepted=accepted,
        overrides={"learning_rate": 0.005},
        confirm=run.name,
        fork_name="two",
    )
    workspace.close()
    assert (manifest.restore.weights_only, manifest.restore.optimizer) == (True, "left out")
    plain = manifest.restore.model_copy(update={"weights_only": None})
    text = to_json(manifest.model_copy(update={"restore": plain}))
    assert "weights_only" not in json.loads(text)["restore"]  # so that clients of before read all other manifests
    fields = {name: spec for name, spec in MANIFEST_SPEC["restore"].items() if name != "weights_only"}
    problems = problems_of(json.loads(path.read_text()), {**MANIFEST_SPEC, "restore": fields})
    assert "in 'restore.weights_only': an unknown field; allowed: " in "".join(problems)  # and refuse this one
    return path.parent


def test_the_learning_rate_of_the_checkpoint_is_told_beside_the_scripts(run: Path) -> None:
    saved(CASES["keras 3, .keras"], run)
    model = a_model(keras, "a", keras.optimizers.Adam(0.5))
    start = resume(run, model=model)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    assert start.receipt is not None
    told = start.receipt.learning_rate_told
    assert told == (
        "0.01, as the checkpoint says, not the script's 0.5 (handed over with the override learning_rate=0.5, the job "
        "would keep that one)"
    )
    assert any(told in line for line in start.receipt.lines())


def test_a_legacy_optimizer_is_no_obstacle_for_the_weights(run: Path) -> None:
    model = a_model(tf_keras, "a", tf_keras.optimizers.legacy.Adam(0.01))
    train(model)
    _bundle(model, run)
    before, model = weights(model), a_model(tf_keras)
    with pytest.raises(ResumeError, match=r"legacy optimizer.*weights_only=True"):
        resume(run, model=model)
    resume(run, model=model, weights_only=True).finish()
    assert weights(model) == before


def test_shapes_tell_the_layer_where_one_answer_is_possible(run: Path) -> None:
    model = a_model(keras, "c")
    train(model)
    model.save_weights(run / "a.weights.h5")
    with pytest.raises(MismatchError) as caught:
        resume(run, model=a_model(keras))
    assert caught.value.differences[0] == "layer c is trainable now and was frozen when this was saved"


def test_nan_in_an_optimizer_is_no_reason_against_the_weights(run: Path) -> None:
    model = a_model(keras)
    train(model)
    _slots(model)[0].assign(np.full(_slots(model)[0].shape, np.nan))
    model.save(run / "a.keras")
    before = weights(model)
    with pytest.raises(ResumeError, match="NaN"):
        resume(run, model=a_model(keras))
    model = a_model(keras)
    resume(run, model=model, weights_only=True).finish()
    assert weights(model) == before
