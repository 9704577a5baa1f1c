"""Event files: every tag, step, time and value equals what TensorBoard reads, of files that jobs wrote."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.metrics import tensorboard
from core.metrics.records import ProblemKind, Reading, XKind
from core.stores.local import LocalStore
from tests.support.written import written_folder

HERE = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("WAYPOINT_CORPUS", HERE.parent / "shared" / "corpus"))
SAMPLES = HERE / "sample_runs"


def read(file: Path) -> Reading:
    return tensorboard.read(LocalStore(str(file.parent)), file.name, None)


def event_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.tfevents.*") if path.is_file())


def oracle(files: list[Path]) -> dict[Path, dict[str, Any]]:
    command = [sys.executable, str(HERE / "tests/support/event_oracle.py"), *map(str, files)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    return {Path(path): found for path, found in json.loads(answer).items()}


def scalars(reading: Reading) -> dict[str, list[list[float]]]:
    return {one.tag: [[point.x, point.wall_time, point.value] for point in one.points()] for one in reading.series}


def assert_equal(files: list[Path]) -> None:
    expected = oracle(files)
    for file in files:
        reading = read(file)
        assert repr(scalars(reading)) == repr({tag: expected[file]["scalars"][tag] for tag in scalars(reading)}), file
        assert scalars(reading).keys() == expected[file]["scalars"].keys(), file
        texts: dict[str, list[list[object]]] = {}
        for one in reading.texts:
            texts.setdefault(one.tag, []).append([one.step, one.text])
        assert texts == expected[file]["texts"], file
        assert reading.parameters == expected[file]["hparams"], file
        assert reading.problems == (), file


@pytest.fixture(scope="module")
def written() -> Path:
    return written_folder(("write_event_files.py",))


def test_files_that_tensorflow_and_keras_wrote_are_read_as_tensorboard_reads_them(written: Path) -> None:
    files = event_files(written)
    assert len(files) == 5
    assert_equal(files)


def test_the_samples_files_are_read_as_tensorboard_reads_them() -> None:
    files = event_files(SAMPLES)
    assert len(files) >= 2
    assert_equal(files)


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}")
def test_other_peoples_files_are_read_as_tensorboard_reads_them() -> None:
    assert_equal(event_files(CORPUS))


def test_keras_tags_that_count_epochs_say_so(written: Path) -> None:
    kinds = {one.tag: one.x_kind for file in event_files(written / "keras") for one in read(file).series}
    assert kinds["epoch_loss"] is XKind.EPOCH
    assert kinds["batch_loss"] is XKind.STEP


def test_hyperparameters_keep_their_types(written: Path) -> None:
    found = [read(file).parameters for file in event_files(written / "keras")]
    assert {"units": 16, "lr": 0.25, "optimizer": "adam", "nesterov": True} in found


def test_a_restart_is_told_with_its_step(written: Path) -> None:
    (file,) = event_files(written / "one")
    restarts = read(file).restarts
    assert [one.step for one in restarts] == [100]
    assert file.read_bytes()[restarts[0].offset + 12 :][:1] == b"\x09"


def test_a_file_of_another_kind_is_said_to_be_broken(tmp_path: Path) -> None:
    file = tmp_path / "events.out.tfevents.1"
    file.write_bytes(b"this is no event file at all")
    (problem,) = read(file).problems
    assert (problem.offset, problem.kind) == (0, ProblemKind.CORRUPT)
