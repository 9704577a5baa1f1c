"""The committed sample runs: they show what their README says, with TensorFlow and Keras as the oracle."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest

from core.metrics.registry import source_of
from core.resume.history import ManifestState
from core.resume.manifest import Mode
from core.services.manifests import run_manifests
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace
from sample_runs import times
from tests.conftest import Opener

SAMPLES = Path(__file__).parent.parent / "sample_runs"
RUNS = sorted(path.name for path in SAMPLES.iterdir() if path.is_dir() and path.name[0] not in "._")
RUNS.remove("trainers")


def files() -> Iterator[Path]:
    """Every file of every run, without what Waypoint itself may have noted there."""
    for name in RUNS:
        yield from (path for path in times.paths_of(SAMPLES / name) if path.is_file())


def prefixes() -> list[str]:
    """The bundles of all runs, relative to the samples, without the indexes of unfinished saves."""
    indexes = [path.relative_to(SAMPLES).as_posix() for path in files() if path.name.endswith(".index")]
    return sorted(index.removesuffix(".index") for index in indexes if "_temp/" not in index)


DAMAGED = {"two-tower/checkpoints/ckpt-6", "unet-segmentation/ckpts/unet-150"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the samples (runs and times.json) whose times are those of the copying."""
    for name in RUNS:
        own = shutil.ignore_patterns(".*")
        shutil.copytree(SAMPLES / name, tmp_path / name, ignore=own, copy_function=shutil.copyfile)
    shutil.copyfile(SAMPLES / "times.json", tmp_path / "times.json")
    return tmp_path


def test_both_tables_of_the_readme_list_every_run_once() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", (SAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(2 * RUNS)
    assert len(RUNS) == 13


def test_the_runs_are_small() -> None:
    assert sum(path.stat().st_size for path in files()) < 8_000_000
    assert len(list(files())) < 300


def test_times_cover_every_file_and_sizes_agree() -> None:
    noted = times.load(SAMPLES)
    assert {path: size for path, (_, size) in noted.items() if size is not None} == {
        path.relative_to(SAMPLES).as_posix(): path.stat().st_size for path in files()
    }
    assert set(RUNS) <= set(noted)


def test_no_index_is_older_than_its_shards() -> None:
    noted = times.load(SAMPLES)
    pairs = [
        (noted[f"{prefix}.index"][0], modified)
        for prefix in prefixes()
        for path, (modified, _) in noted.items()
        if path.startswith(f"{prefix}.data-")
    ]
    assert len(pairs) > 40
    assert all(index >= shard for index, shard in pairs)


def test_apply_on_a_copy_restores_every_time(copy: Path) -> None:
    command = [sys.executable, str(SAMPLES / "times.py"), "apply", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    noted = times.load(copy)
    assert {path: (copy / path).stat().st_mtime_ns for path in noted} == {
        path: entry[0] for path, entry in noted.items()
    }


def test_apply_leaves_alone_what_changed_and_says_so(copy: Path) -> None:
    (copy / "speech-rnn" / "checkpoint").write_text("mended", encoding="utf-8")
    (copy / "char-lm" / "checkpoints" / "ckpt-2.index").unlink()
    shutil.rmtree(copy / "mnist-cnn")
    mended = (copy / "speech-rnn" / "checkpoint").stat().st_mtime_ns
    assert sorted(times.apply(copy)) == [
        "char-lm/checkpoints/ckpt-2.index: missing",
        "char-lm/checkpoints: files came or went since",
        "speech-rnn/checkpoint: changed since, 6 bytes instead of 334",
    ]
    assert (copy / "speech-rnn" / "checkpoint").stat().st_mtime_ns == mended


def test_record_of_one_run_keeps_the_entries_of_the_others(copy: Path) -> None:
    before = times.load(copy)
    times.record(copy, ["char-lm"])
    after = times.load(copy)
    assert after.keys() == before.keys()
    assert {path.split("/")[0] for path in after if after[path] != before[path]} == {"char-lm"}


def test_no_path_of_the_machine_that_made_them() -> None:
    source = re.compile(rb"/[\w./-]+\.py\b|/(?:home|root|Users|usr|opt|srv|mnt)/[\w.-]+|site-packages")
    found = {path.name: match for path in files() if (match := source.findall(path.read_bytes()))}
    assert found == {}
    here = [str(SAMPLES.parent).encode(), str(Path.home()).encode() + b"/", sys.prefix.encode()]
    assert [path for path in files() if any(part in path.read_bytes() for part in here)] == []
    hosts = {path.name.split(".")[4] for path in files() if path.name.startswith("events.out.")}
    assert hosts == {"trainer"}


@pytest.mark.parametrize(
    ("folder", "latest"),
    [
        ("mnist-cnn/checkpoints", "ckpt-10"),
        ("review-sentiment/training_checkpoints", "cp-0006.ckpt"),
        ("wide-deep-tf1", "model.ckpt-280"),
        ("char-lm/checkpoints", "ckpt-4"),
        ("two-tower/checkpoints", "ckpt-6"),
        ("unet-segmentation/ckpts", "unet-150"),
        ("fashion-vae/training_checkpoints", "ckpt-8"),
        ("speech-rnn", None),
    ],
    ids=lambda value: str(value).split("/")[0],
)
def test_what_tensorflow_calls_latest(folder: str, latest: str | None, copy: Path) -> None:
    import tensorflow as tf

    assert tf.train.latest_checkpoint(str(copy / folder)) == (latest and str(copy / folder / latest))


@pytest.mark.parametrize("prefix", sorted(set(prefixes()) - DAMAGED))
def test_tensorflow_reads_every_value_of_a_whole_bundle(prefix: str) -> None:
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(SAMPLES / prefix))
    shapes = reader.get_variable_to_shape_map()
    assert {name: list(getattr(reader.get_tensor(name), "shape", ())) for name in shapes} == shapes


@pytest.mark.parametrize("prefix", sorted(DAMAGED))
def test_tensorflow_opens_the_damaged_bundles_but_lacks_a_shard(prefix: str) -> None:
    import tensorflow as tf

    # One reader for one look: after a failed read of a sliced variable, the next look ends the process (TF 2.21).
    reader = tf.train.load_checkpoint(str(SAMPLES / prefix))
    assert reader.has_tensor("optimizer/_trainable_variables/0/.ATTRIBUTES/VARIABLE_VALUE")
    with pytest.raises(tf.errors.OpError, match="No such file or directory"):
        reader.get_tensor("optimizer/_trainable_variables/0/.ATTRIBUTES/VARIABLE_VALUE")


def test_what_the_accidents_left() -> None:
    def names(folder: str, pattern: str) -> list[str]:
        return sorted(path.name for path in (SAMPLES / folder).glob(pattern))

    assert names("two-tower/checkpoints", "ckpt-6.*") == [
        "ckpt-6.data-00000-of-00003",
        "ckpt-6.data-00002-of-00003",
        "ckpt-6.index",
    ]
    assert names("unet-segmentation/ckpts", "unet-150*") == ["unet-150.index"]
    assert names("fashion-vae/training_checkpoints", "ckpt-6.*") == ["ckpt-6.data-00000-of-00001"]
    (leftover,) = (SAMPLES / "char-lm" / "checkpoints").glob("ckpt-*_temp")
    assert any(part.name.startswith("part-00000-of-00001.data-") for part in leftover.iterdir())
    assert sum(part.stat().st_size for part in leftover.iterdir()) < 1_000_000
    assert f'"{leftover.name.removesuffix("_temp")}"' not in (leftover.parent / "checkpoint").read_text(
        encoding="utf-8"
    )


def test_the_moved_run_names_its_old_folder() -> None:
    paths = re.findall(r'paths?: "(.*)"', (SAMPLES / "speech-rnn" / "checkpoint").read_text(encoding="utf-8"))
    assert len(paths) == 5
    assert {str(Path(path).parent) for path in paths} == {"/tmp/lab/runs/speech-rnn"}


def test_the_backup_is_of_epoch_six_and_its_twin_of_epoch_five() -> None:
    backup = SAMPLES / "speech-commands" / "backup"
    epochs = [
        json.loads((backup / name).read_bytes())["epoch"]
        for name in ("training_metadata.json", "training_metadata.json.bkp")
    ]
    assert epochs == [6, 5]
    with h5py.File(backup / "latest.weights.h5") as weights:
        assert weights["optimizer/vars/0"][()] == 6 * 20


def test_the_two_models_of_the_gan_have_different_variables() -> None:
    shapes = {}
    for path in sorted((SAMPLES / "digits-gan" / "checkpoints").iterdir()):
        found: list[tuple[int, ...]] = []
        with h5py.File(path) as weights:
            weights["layers"].visititems(lambda _, item, to=found: to.append(getattr(item, "shape", ())))
        shapes[path.name] = tuple(found)
    assert len(shapes) == 12
    assert len(set(shapes.values())) == 2


def test_the_two_attempts_differ_in_iterations() -> None:
    import keras

    noted = times.load(SAMPLES)
    paths = [path for path in noted if path.endswith(".keras")]
    models = [keras.saving.load_model(SAMPLES / path) for path in sorted(paths, key=lambda path: noted[path])]
    steps = [int(model.optimizer.iterations) for model in models]
    assert steps == [15, 30, 45, 15, 30, 45, 60, 75, 90]


def test_the_exports_have_no_optimizer_and_orbax_committed_all() -> None:
    import tensorflow as tf

    for version in ("1", "2"):
        variables = tf.train.list_variables(
            str(SAMPLES / "defect-detector" / "export" / version / "variables" / "variables")
        )
        assert [name for name, _ in variables if "optimizer" in name] == []
    steps = sorted(path.name for path in (SAMPLES / "tiny-transformer" / "checkpoints").iterdir())
    assert steps == ["2", "3", "4"]
    for step in steps:
        folder = SAMPLES / "tiny-transformer" / "checkpoints" / step
        assert (folder / "commit_success.txt").exists()
        assert "optimizer_variables" in (folder / "pytree" / "_METADATA").read_text(encoding="utf-8")


def shell(root: Path, *arguments: str) -> Any:  # noqa: ANN401 - a JSON document
    """What `python -m core` answers about the runs of a root."""
    command = [sys.executable, "-m", "core", *arguments, "--json", "--root", str(root)]
    environment = clean() | {"PYTHONPATH": "client", "WAYPOINT_HOME": str(root.parent / "home")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=SAMPLES.parent, check=True)
    return json.loads(done.stdout)


def test_the_logs_are_of_many_kinds_and_what_all_but_one_achieved_can_be_compared(samples: Path) -> None:
    names = [path.relative_to(samples) for path in samples.rglob("*") if path.is_file()]
    folders: dict[str, list[str]] = {}
    for name in names:
        folders.setdefault(name.parent.as_posix(), []).append(name.name)
    found = {source_of(name.as_posix(), lambda folder: folders.get(folder, [])) for name in names} - {None}
    kinds = {"tensorboard", "csv", "json-log", "json-settings", "yaml-settings", "flags"}
    assert {source.name for source in found if source} == kinds
    told = {row["run"]: row for row in shell(samples, "runs")}
    assert {name for name, row in told.items() if "val_loss" in row["metrics"]} == set(RUNS) - {"digits-gan"}
    for run in set(RUNS) - {"digits-gan"}:
        assert told[run]["params"]["batch_size"] == 32
        assert {"learning_rate", "optimizer"} <= told[run]["params"].keys(), run


def test_the_best_run_of_two_that_learn_the_same_and_its_best_checkpoint(samples: Path) -> None:
    """The three commands of README's tour; TensorBoard's own reader tells the loss at each step of a checkpoint."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    (file,) = (samples / "tiny-transformer" / "logs" / "validation").iterdir()
    events = EventAccumulator(str(file), size_guidance={"tensors": 0}).Reload()
    points = events.Tensors("evaluation_loss_vs_iterations")
    losses = {point.step: tensor_util.make_ndarray(point.tensor_proto).item() for point in points}
    assert min(losses, key=losses.__getitem__) == 80  # of 100: the best is not the newest
    found = [row["run"] for row in shell(samples, "runs", "--where", "val_loss<0.2", "--sort", "val_loss")]
    assert found.index("tiny-transformer") < found.index("review-sentiment")
    best = shell(samples, "compare", "tiny-transformer", "review-sentiment")["runs"][0]["best"][0]
    assert best["checkpoint"]["path"] == "tiny-transformer/checkpoints/3"
    assert best["checkpoint"]["step"] == 80
    assert best["value"]["value"] == pytest.approx(losses[80], rel=1e-6)
    options = ["--checkpoint", "checkpoints/3", "--mode", "rewind", "--confirm", "tiny-transformer"]
    manifest = shell(samples, "resume", "tiny-transformer", *options, "--note", "the lowest val_loss")
    assert (manifest["checkpoint"]["step"], manifest["mode"]) == (80, "rewind")


def clean() -> dict[str, str]:
    """The environment without what tells of other runs and jobs."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("WAYPOINT_", "SLURM_"))}


def train(*arguments: object, script: Path = SAMPLES / "train.py", code: int = 0) -> str:
    """What train.py says, on both streams."""
    command = [sys.executable, str(script), *map(str, arguments)]
    environment = clean() | {"PYTHONPATH": str(SAMPLES.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == code, done.stderr[-3000:]
    return done.stdout + done.stderr


def hand_over(workspace: Workspace, name: str, path: str, mode: Mode | None = None) -> str:
    """Hand a checkpoint of a run over, in the proposed mode if none is given; the manifest's id."""
    workspace.refresh()
    found = workspace.find_run(name)
    [picked] = [item for item in workspace.members(found.root, name) if item.path == f"{name}/{path}"]
    proposal = propose(workspace, picked, mode)
    accepted = [warning.id for warning in proposal.warnings]
    return resume_from(workspace, picked, proposal, note="", accepted=accepted, confirm=name)[0].id


def state(workspace: Workspace, name: str) -> ManifestState:
    """What became of a run's newest manifest."""
    return run_manifests(workspace, workspace.find_run(name).root, name)[0].state


def values(prefix: Path) -> dict[str, bytes]:
    """Every value of a bundle."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(prefix))
    found = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    return {name: value if isinstance(value, bytes) else value.tobytes() for name, value in found.items()}


def test_a_run_is_trained_on_from_its_newest_and_again_from_what_was_handed_over(
    samples: Path, workspace: Opener
) -> None:
    run = samples / "mnist-cnn"
    said = train("--resume", "mnist-cnn", "--folder", run, "--saves", 2)
    assert "Restored checkpoints/ckpt-10, step 300 (no manifest, the newest that fits)." in said
    assert re.findall(r"^step (\d+): loss", said, re.MULTILINE) == ["330", "360"]
    opened = workspace(samples)
    handed = hand_over(opened, "mnist-cnn", "checkpoints/ckpt-11", Mode.REWIND)
    said = train("--resume", "mnist-cnn", "--folder", run, "--saves", 1)
    assert f"Restored checkpoints/ckpt-11, step 330 (the manifest {handed})." in said
    assert state(opened, "mnist-cnn") is ManifestState.FINISHED
    aside = run / ".waypoint" / "rewound" / handed / "files" / "checkpoints"
    assert {path.stem for path in aside.glob("ckpt-*")} == {"ckpt-12"}
    again = values(run / "checkpoints" / "ckpt-12")
    assert again == values(aside / "ckpt-12")  # the same model, optimizer and data: the same values, bit for bit
    assert again != values(run / "checkpoints" / "ckpt-11")


@pytest.mark.parametrize(
    ("name", "path", "step", "saved"),
    [
        ("churn-mlp", "checkpoints/cp-0006-0.243.keras", 90, ["checkpoints/cp-0007-*.keras", "weights/cp-0007-*.h5"]),
        ("review-sentiment", "training_checkpoints/cp-0006.ckpt", 120, ["training_checkpoints/cp-0007.ckpt.index"]),
        ("speech-commands", "backup/latest.weights.h5", 120, ["backup/latest.weights.h5"]),
    ],
    ids=["fit", "tf-keras", "backup-and-restore"],
)
def test_a_fit_goes_on_with_the_next_epoch_and_saves_as_before(
    samples: Path, workspace: Opener, name: str, path: str, step: int, saved: list[str]
) -> None:
    opened, run = workspace(samples), samples / name
    before = {item: item.stat().st_mtime_ns for item in run.rglob("*")}
    handed = hand_over(opened, name, path)
    said = train("--resume", name, "--folder", run, "--saves", 1)
    assert f"Restored {path}, step {step} (the manifest {handed})." in said
    assert "Epoch 7/7" in said
    for pattern in saved:
        [new] = run.glob(pattern)
        assert before.get(new) != new.stat().st_mtime_ns
    assert state(opened, name) is ManifestState.FINISHED


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("defect-detector", "exports for serving only"),
        ("wide-deep-tf1", "tf.compat.v1.train.Saver"),
        ("speech-rnn", "tf.compat.v1.train.Saver"),
        ("digits-gan", "two models in files of their own"),
    ],
)
def test_a_run_that_cannot_go_on_says_why(samples: Path, name: str, why: str) -> None:
    said = train("--resume", name, "--folder", samples / name, code=2)
    assert f"{name} cannot go on: " in said
    assert why in said


def times_in(folder: Path) -> dict[Path, int]:
    """When each file and folder was changed, but for what Python compiled."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_a_run_with_a_manifest_to_obey_is_not_trained_anew(samples: Path, workspace: Opener) -> None:
    for part in ("train.py", "times.py"):
        shutil.copyfile(SAMPLES / part, samples / part)
    opened = workspace(samples)
    hand_over(opened, "two-tower", "checkpoints/ckpt-5")
    before = times_in(samples)
    said = train("mnist-cnn", "two-tower", script=samples / "train.py", code=1)
    assert "two-tower has to go on from checkpoints/ckpt-5, says its manifest" in said
    assert "train it on with --resume two-tower" in said
    assert times_in(samples) == before
    (samples / "two-tower" / "resume_manifest.json").write_text("{}", encoding="utf-8")
    assert "is no manifest that this client reads" in train("two-tower", script=samples / "train.py", code=1)
