"""What may not be read by the one who looks: said so, in files, in folders of a checkpoint, in state files; no damage.

Root reads all, so that the commands run as root without the rights that make it so.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import keras_files

WITHOUT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
NOBODY = 65534
pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv"
)


def close(path: Path) -> None:
    """Let nobody but its owner, who has no right either, read it."""
    os.chown(path, NOBODY, NOBODY)
    path.chmod(0)


def limited(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, as somebody who may not read all."""
    environment = {**os.environ, "WAYPOINT_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["WAYPOINT_WRITE_GRACE"] = "0"  # the files are young
    command = [*WITHOUT, sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Runs, in each of which something is closed: the run's name says what, relative to it."""
    made = tmp_path / "runs"
    closed = {
        "orbax-item": ("orbax/1", "1", "1/pytree"),
        "orbax-data": ("orbax/1", "1", "1/pytree/d"),
        "saved-model": ("saved_model", "1", "1/variables"),
        "keras": ("adam.keras", "adam.keras", "adam.keras"),
        "hdf5": ("adam.h5", "adam.h5", "adam.h5"),
    }
    for run, (source, name, inside) in closed.items():
        place, origin = made / run / name, keras_files.folder() / source
        place.parent.mkdir(parents=True)
        (shutil.copytree if origin.is_dir() else shutil.copy)(origin, place)
        close(made / run / inside)
    (made / "above" / "ckpts").mkdir(parents=True)
    close(made / "above" / "ckpts")
    return made


def test_it_is_said_whose_right_is_missing(root: Path, tmp_path: Path) -> None:
    done = limited(tmp_path / "home", "-m", "core", "health", "--json", "--root", str(root))
    found = {one["run"]: one for one in json.loads(done.stdout) if one["rule"] != "newest-not-restorable"}
    assert found.keys() == {"orbax-item", "orbax-data", "saved-model", "keras", "hdf5"}
    for run, one in found.items():
        assert one["rule"] == "no-permission", (run, one)
        assert "its owner is nobody (mode 0000)" in one["reason"]
    said = limited(tmp_path / "home", "-m", "core", "resume", "above", "--cached", "--root", str(root))
    assert "The folder is there, and above/ckpts could not be looked into" in said.stderr
    said = limited(tmp_path / "home", "-m", "core", "verify", "orbax-data/1", "--cached", "--root", str(root))
    assert (said.returncode, "not told: orbax-data/1" in said.stdout) == (1, True), said.stdout


def test_a_closed_step_is_said_where_the_older_one_is_chosen(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "run"
    for step in ("3", "5"):
        shutil.copytree(keras_files.folder() / "orbax" / "1", run / "ckpts" / step)
    (run / "ckpts" / "5").chmod(0)
    os.chown(run / "ckpts" / "5", NOBODY, NOBODY)
    told = "run/ckpts/5"
    for _ in range(2):  # at the second look nothing came or went
        done = limited(tmp_path / "home", "-m", "core", "health", "--json", "--root", str(tmp_path / "runs"))
        found = [(one["rule"], one["path"]) for one in json.loads(done.stdout)]
        assert ("closed-folder", "run/ckpts/5") in found, (found, done.stderr)
    done = limited(tmp_path / "home", "-m", "core", "latest", "run", "--root", str(tmp_path / "runs"))
    assert "run/ckpts/3" in done.stdout
    assert f"{told} is passed over, and may hold a newer checkpoint: you may not read it: its owner is" in done.stderr
    done = limited(tmp_path / "home", "-m", "core", "resume", "run", "--root", str(tmp_path / "runs"))
    assert "closed-folders" in done.stdout + done.stderr, (done.stdout, done.stderr)
    (run / "ckpts" / "5").chmod(0o755)
    done = limited(tmp_path / "home", "-m", "core", "latest", "run", "--root", str(tmp_path / "runs"))
    assert "run/ckpts/5" in done.stdout, done.stdout
    assert "passed over" not in done.stderr


def test_a_state_file_that_may_not_be_read_is_not_damaged(tmp_path: Path, samples: Path) -> None:
    close(samples / "mnist-cnn" / "checkpoints" / "checkpoint")
    done = limited(tmp_path / "home", "-m", "core", "health", "mnist-cnn", "--json", "--root", str(samples))
    assert [one["rule"] for one in json.loads(done.stdout) if "checkpoint" in one["reason"]] == ["no-permission"]


def test_a_job_in_a_closed_run_begins_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    close(run)
    program = f"from waypoint_resume import resume; resume({str(run)!r}, manager=object())"
    done = limited(tmp_path / "home", "-c", program)
    assert done.stderr.strip().endswith("Permission denied. Nothing was loaded."), done.stderr
    assert "waypoint_resume.errors.ResumeError" in done.stderr
