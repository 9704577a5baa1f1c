"""Six epochs in one go, and three, a kill, a manifest, and the rest: the same weights and losses, bit for bit.

In every mode: from the latest checkpoint, after a rewind to the one before, and in a fork of that one.
"""

import hashlib
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.config.settings import load
from core.resume.history import ManifestState
from core.resume.manifest import Manifest, Mode
from core.services.manifests import run_manifests
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace
from tests.support.jobs import job_server

JOB = Path(__file__).parents[1] / "support" / "train_job.py"
KILLED_IN, STEPS = 3, 4
FORMS = {
    "keras": ("manager", "keras", "weights", "h5", "orbax"),
    "jax": ("keras", "weights", "h5", "orbax"),
    "tf_keras": ("manager", "keras", "weights", "h5", "tf-weights", "saved-model"),
    "module": ("module",),
}
Trained = Callable[[str], Path]
Handed = dict[str, Manifest]  # by form


def job(framework: str, *arguments: object, killed: bool = False) -> str:
    """Run the training in a framework, where `jax` is Keras 3 on JAX without TensorFlow; what it said on stderr."""
    server = job_server("keras" if framework == "module" else framework)
    done = server.run(JOB, "keras" if framework == "jax" else framework, *arguments)
    assert done.returncode == (-signal.SIGKILL if killed else 0), done.stderr[-3000:]
    return done.stderr


def result(folder: Path, name: str) -> dict[str, Any]:
    """What a training wrote at its end."""
    found: dict[str, Any] = json.loads((folder / f"result-{name}.json").read_text())
    return found


def hashes(run: Path) -> dict[str, str]:
    """The files of a run but Waypoint's own."""
    return {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in run.rglob("*")
        if path.is_file() and ".waypoint" not in path.parts
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A folder for a framework: `whole` was trained in one go, `runs` was killed in its fourth epoch."""
    made: dict[str, Path] = {}

    def get(framework: str) -> Path:
        if framework not in made:
            folder = tmp_path_factory.mktemp(framework)
            (folder / "whole").mkdir()
            (folder / "runs").mkdir()
            job(framework, folder / "whole", "-")
            job(framework, folder / "runs", "-", "--kill", KILLED_IN, killed=True)
            made[framework] = folder
        return made[framework]

    return get


def opened(folder: Path) -> Workspace:
    """A workspace over the runs of a folder, as the dashboard opens it."""
    settings = load(roots_override=[folder / "runs"]).model_copy(update={"home": folder / "home"})
    workspace = Workspace.open(settings)
    workspace.refresh()
    return workspace


def hand_over(workspace: Workspace, run: str, mode: Mode) -> Manifest:
    """Write the manifest of a run with the dashboard's own code: of the latest to go on, else of the one before."""
    found = workspace.find_run(run)
    members = [item for item in workspace.members(found.root, found.path) if item.restorable]
    steps = {item.facts.step.value if item.facts.step else 0: item for item in members}
    picked = steps[(KILLED_IN - (mode is not Mode.CONTINUE)) * STEPS]
    proposal = propose(workspace, picked, mode)
    accepted = [warning.id for warning in proposal.warnings]
    return resume_from(workspace, picked, proposal, note="", accepted=accepted, confirm=run)[0]


@pytest.fixture(scope="module")
def resumed(trained: Trained) -> Callable[[str, Mode], tuple[Path, Handed, str]]:
    """Copies of the killed runs, handed over in a mode and trained to the end by one process; the manifests, and what
    the job said.
    """
    made: dict[tuple[str, Mode], tuple[Path, Handed, str]] = {}

    def get(framework: str, mode: Mode) -> tuple[Path, Handed, str]:
        if (framework, mode) not in made:
            folder = trained(framework) / mode.value
            shutil.copytree(trained(framework) / "runs", folder / "runs")
            workspace = opened(folder)
            handed = {form: hand_over(workspace, form, mode) for form in FORMS[framework]}
            workspace.close()
            said = job(framework, folder / "runs", *(f"{form}:{one.run}" for form, one in handed.items()))
            made[framework, mode] = (folder, handed, said)
        return made[framework, mode]

    return get


Resumed = Callable[[str, Mode], tuple[Path, Handed, str]]
CASES = [(framework, form) for framework, forms in FORMS.items() for form in forms]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(("framework", "form"), CASES, ids=[f"{framework}-{form}" for framework, form in CASES])
def test_a_resumed_training_ends_where_an_unbroken_one_does(
    trained: Trained, resumed: Resumed, framework: str, form: str, mode: Mode
) -> None:
    folder, handed, said = resumed(framework, mode)
    manifest = handed[form]
    step = (KILLED_IN - (mode is not Mode.CONTINUE)) * STEPS
    whole, again = result(trained(framework) / "whole", "-"), result(folder / "runs", manifest.run)
    assert (again["source"], again["step"]) == (manifest.whole_path, step)
    assert again["losses"] == whole["losses"][step:]
    assert again["values"] == whole["values"]
    assert f"Restored {manifest.whole_path}, step {step} (the manifest {manifest.id})" in said
    assert not any("restarts" in warning for warning in again["warnings"])
    workspace = opened(folder)
    found = workspace.find_run(manifest.run)
    (entry,) = run_manifests(workspace, found.root, found.path)
    assert (entry.state, entry.manifest.mode) == (ManifestState.FINISHED, mode)
    workspace.close()


@pytest.mark.parametrize(("framework", "form"), CASES, ids=[f"{framework}-{form}" for framework, form in CASES])
def test_a_rewind_keeps_what_it_set_aside(trained: Trained, resumed: Resumed, framework: str, form: str) -> None:
    folder, handed, _ = resumed(framework, Mode.REWIND)
    run, manifest = folder / "runs" / form, handed[form]
    before = hashes(trained(framework) / "runs" / form)
    held = hashes_of(run / ".waypoint/rewound" / manifest.id / "files")
    assert held
    assert held.items() <= before.items()
    picked = {file.path for file in manifest.checkpoint.files}
    assert picked.isdisjoint(held)


def hashes_of(folder: Path) -> dict[str, str]:
    """As `hashes`, for a folder within `.waypoint`."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(("framework", "form"), CASES, ids=[f"{framework}-{form}" for framework, form in CASES])
def test_training_in_a_fork_leaves_its_parent_as_it_was(
    trained: Trained, resumed: Resumed, framework: str, form: str
) -> None:
    folder, handed, _ = resumed(framework, Mode.FORK)
    assert handed[form].run != form
    assert hashes(folder / "runs" / form) == hashes(trained(framework) / "runs" / form)
    assert len(hashes(folder / "runs" / handed[form].run)) > len(handed[form].checkpoint.files)


REFUSALS = {
    ("keras", "tf_keras"): {
        "manager": "does not fit the model",
        "keras": "tf-keras (Keras 2) wrote epoch-3.keras, and the model is made of Keras 3",
        "weights": "does not fit the model",
        "h5": "tf-keras (Keras 2) wrote epoch-3.h5, and the model is made of Keras 3",
        "tf-weights": "does not fit the model",
        "saved-model": "is a SavedModel, which training goes on from in tf-keras and Keras 2 only",
    },
    ("jax", "keras"): {"manager": "holds TensorFlow's objects, and Keras runs on jax here"},
    ("jax", "tf_keras"): {
        "manager": "holds TensorFlow's objects, and Keras runs on jax here",
        "keras": "tf-keras (Keras 2) wrote epoch-3.keras, and the model is made of Keras 3",
        "weights": "does not fit the model",
        "h5": "tf-keras (Keras 2) wrote epoch-3.h5, and the model is made of Keras 3",
        "tf-weights": "holds TensorFlow's objects, and Keras runs on jax here",
        "saved-model": "holds TensorFlow's objects, and Keras runs on jax here",
    },
    ("tf_keras", "keras"): {
        "manager": "does not fit the model",
        "keras": "Keras 3 wrote epoch-3.keras, and the model is made of tf-keras (Keras 2)",
        "weights": "does not fit the model",
        "h5": "Keras 3 wrote epoch-3.h5, and the model is made of tf-keras (Keras 2)",
        "orbax": "Keras 3 wrote 2, and the model is made of tf-keras (Keras 2)",
    },
}
REFUSALS["tf_keras", "jax"] = {form: REFUSALS["tf_keras", "keras"][form] for form in FORMS["jax"]}
BEFORE_THE_CLAIM = ("holds TensorFlow's objects", "is a SavedModel")  # known from the manifest and the model alone


@pytest.mark.parametrize(("model", "writer"), REFUSALS, ids=[f"{model}-{writer}" for model, writer in REFUSALS])
def test_what_the_other_keras_wrote_is_refused_and_nothing_is_loaded(trained: Trained, model: str, writer: str) -> None:
    folder = trained(writer) / f"foreign-{model}"
    shutil.copytree(trained(writer) / "runs", folder / "runs")
    workspace = opened(folder)
    for run in REFUSALS[model, writer]:
        hand_over(workspace, run, Mode.CONTINUE)
    job(model, folder / "runs", "refused", *REFUSALS[model, writer])
    for run, (said, is_unchanged) in json.loads((folder / "runs" / "result-refused.json").read_text()).items():
        assert REFUSALS[model, writer][run] in said, run
        assert is_unchanged, run
        found = workspace.find_run(run)
        (entry,) = run_manifests(workspace, found.root, found.path)
        if any(text in said for text in BEFORE_THE_CLAIM):
            assert (entry.state, entry.claim) == (ManifestState.PENDING, None)
        else:
            assert entry.claim is not None
            assert (entry.state, entry.claim.error) == (ManifestState.CLAIMED, said)
    workspace.close()


ACROSS = {("jax", "keras"): FORMS["jax"], ("keras", "jax"): FORMS["jax"]}  # of Keras 3 on the other backend


@pytest.mark.parametrize(("model", "writer"), ACROSS, ids=[f"{model}-{writer}" for model, writer in ACROSS])
def test_what_keras_wrote_on_another_backend_is_restored_byte_by_byte(
    trained: Trained, model: str, writer: str
) -> None:
    folder = trained(writer) / f"across-{model}"
    shutil.copytree(trained(writer) / "runs", folder / "runs")
    job(model, folder / "runs", "refused", *ACROSS[model, writer])  # which tries, and compares what it loaded
    said = json.loads((folder / "runs" / "result-refused.json").read_text())
    assert {run: text for run, (text, _) in said.items()} == {
        "keras": "restored epoch-3.keras",
        "weights": "restored epoch-3.weights.h5",
        "h5": "restored epoch-3.h5",
        "orbax": "restored 2",
    }
