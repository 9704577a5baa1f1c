"""A model that Keras saved into a folder: read, verified, handed over and restored; damage is what Keras says."""

import gzip
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.base.facts import Contents, Format
from core.base.records import Checkpoint
from core.services.resume import propose, resume_from
from core.verify.results import Outcome
from core.verify.run import verify
from tests.client.test_client_training import opened
from tests.support.disk import Disk
from tests.support.jobs import job_server

JOB = Path(__file__).parents[1] / "support" / "keras_folder_job.py"
NAME = "run/model"


def job(what: str, place: Path) -> object:
    """Run the program; what it printed last."""
    done = job_server("keras").run(JOB, what, place)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, object]:
    """A folder with a run that holds a saved model, and the model's weights."""
    place = tmp_path_factory.mktemp("keras-folder")
    return place, job("save", place)


def looked(root: Path, home: Path) -> dict[str, Checkpoint]:
    disk = Disk(root, home)
    disk.look()
    return disk.items()


def test_the_folder_is_one_model_with_the_facts_of_its_zip(saved: tuple[Path, object], tmp_path: Path) -> None:
    root = tmp_path / "runs"
    shutil.copytree(saved[0] / "runs", root)
    shutil.copy(saved[0] / "same.keras", root / "run" / "same.keras")
    found = looked(root, tmp_path / "home")
    folder, zipped = found[NAME], found["run/same.keras"]
    assert sorted(found) == [NAME, "run/same.keras"]
    assert (folder.format, folder.restorable, folder.findings) == (Format.KERAS_FOLDER, True, ())
    assert folder.facts.contents is Contents.FULL_MODEL
    assert folder.facts == zipped.facts
    assert {file.name for file in folder.files} == {"config.json", "metadata.json", "model.weights.h5"}
    result = verify(str(root), folder)
    assert (result.outcome, result.tensors) == (Outcome.VERIFIED, folder.facts.variables)


def test_the_model_is_handed_over_and_goes_on_with_its_optimizer(saved: tuple[Path, object], tmp_path: Path) -> None:
    shutil.copytree(saved[0] / "runs", tmp_path / "runs")
    workspace = opened(tmp_path)
    (picked,) = workspace.members(workspace.runs()[0].root, "run")
    proposal = propose(workspace, picked)
    manifest, _ = resume_from(workspace, picked, proposal, note="", accepted=[one.id for one in proposal.warnings])
    workspace.close()
    assert (manifest.checkpoint.path, manifest.checkpoint.format) == ("model", Format.KERAS_FOLDER)
    assert (manifest.restore.api, manifest.restore.optimizer) == ("keras.saving.load_model", "restored")
    assert job("resume", tmp_path) == ["model", 4, saved[1]]


def test_without_a_manifest_the_job_finds_it_too(saved: tuple[Path, object], tmp_path: Path) -> None:
    shutil.copytree(saved[0] / "runs", tmp_path / "runs")
    assert job("resume", tmp_path) == ["model", 4, saved[1]]


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def recoded(name: str, encoding: str) -> Callable[[Path], object]:
    """A change of a file's encoding."""
    return lambda folder: (folder / name).write_bytes((folder / name).read_text("utf-8").encode(encoding))


def packed(name: str) -> Callable[[Path], object]:
    """A file that somebody compressed."""

    def change(folder: Path) -> None:
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        (folder / name).unlink()

    return change


def pointed(name: str) -> Callable[[Path], object]:
    """A file in whose place a clone without Git LFS left a pointer."""
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1234\n"
    return lambda folder: (folder / name).write_text(text)


# What happens to a copy of the folder; and whether it is still that model to a scan, by the format's name.
DAMAGE: dict[str, Callable[[Path], object]] = {
    "whole": Path.exists,
    "notes": lambda folder: (folder / "notes.txt").write_text("x"),
    "metadata-gone": lambda folder: (folder / "metadata.json").unlink(),
    "metadata-cut": lambda folder: cut(folder / "metadata.json"),
    "config-cut": lambda folder: cut(folder / "config.json"),
    "config-of-others": lambda folder: (folder / "config.json").write_text('{"lr": 1}'),
    "weights-gone": lambda folder: (folder / "model.weights.h5").unlink(),
    "weights-cut": lambda folder: cut(folder / "model.weights.h5"),
    "weights-empty": lambda folder: os.truncate(folder / "model.weights.h5", 0),
    "name.keras": Path.exists,
    **{
        f"{name}-{encoding}": recoded(f"{name}.json", encoding)
        for name in ("config", "metadata")
        for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig")
    },
    **{f"{name}-packed": packed(name) for name in ("config.json", "metadata.json", "model.weights.h5")},
    **{f"{name}-pointer": pointed(name) for name in ("config.json", "metadata.json", "model.weights.h5")},
}
ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig")  # in a zip Keras reads all of them


def test_what_is_restorable_is_what_keras_loads(saved: tuple[Path, object], tmp_path: Path) -> None:
    for name, damage in DAMAGE.items():
        shutil.copytree(saved[0] / "runs" / "run" / "model", tmp_path / "runs" / name)
        damage(tmp_path / "runs" / name)
    for encoding in ENCODINGS:
        with (
            zipfile.ZipFile(saved[0] / "same.keras") as old,
            zipfile.ZipFile(tmp_path / "runs" / f"{encoding}.keras", "w") as new,
        ):
            for name in old.namelist():
                content = old.read(name)
                new.writestr(name, content.decode().encode(encoding) if name == "config.json" else content)
    loads = job("loads", tmp_path / "runs")
    found = looked(tmp_path / "runs", tmp_path / "home")
    told = {path.partition("/")[0]: item.restorable for path, item in found.items()}
    # Without Keras' metadata the folder is known by a config that describes a model, beside weights.
    assert told == loads
    assert found["metadata-gone"].format is Format.KERAS_FOLDER
    for name in ("config.json", "metadata.json", "model.weights.h5"):
        for how, rule in (("packed", "packed-file"), ("pointer", "lfs-pointer")):
            one = found[f"{name}-{how}"]
            assert one.format is Format.KERAS_FOLDER
            assert [item.rule for item in one.findings][:1] == ([] if name == "metadata.json" else [rule])
            assert all(item.reason.startswith(f"{name}: ") for item in one.findings[:1])
    assert all(told[f"{encoding}.keras"] for encoding in ENCODINGS)
    assert found["name.keras"].findings[0].rule == "not-told"
    assert "rename it" in found["name.keras"].findings[0].reason


def test_a_run_that_keeps_files_of_these_names_is_no_model(saved: tuple[Path, object], tmp_path: Path) -> None:
    run = tmp_path / "runs" / "run"
    shutil.copytree(saved[0] / "runs" / "run" / "model", run)
    (run / "metadata.json").write_text('{"author": "ada"}')
    (run / "config.json").write_text('{"lr": 0.1}')
    (found,) = looked(tmp_path / "runs", tmp_path / "home").values()
    assert (found.run, found.path, found.format) == ("run", "run/model.weights.h5", Format.WEIGHTS_H5)


def test_a_zip_that_was_unpacked_is_a_model_too(saved: tuple[Path, object], tmp_path: Path) -> None:
    with zipfile.ZipFile(saved[0] / "same.keras") as archive:
        archive.extractall(tmp_path / "runs" / "run" / "unpacked")
    (found,) = looked(tmp_path / "runs", tmp_path / "home").values()
    assert (found.path, found.format, found.restorable) == ("run/unpacked", Format.KERAS_FOLDER, True)
