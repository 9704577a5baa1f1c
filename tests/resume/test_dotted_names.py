"""A checkpoint whose name is dots alone, which no path names to a job; and what `resume` and `verify` say of a run that
holds only what is listed.
"""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from core.cli.app import app
from tests.support import builders
from tests.support.bundle_files import put


def run_command(root: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*arguments, "--root", str(root)])
    return done.exit_code, done.output


@pytest.mark.usefixtures("plain_environment")
@pytest.mark.parametrize("name", [".", "..", "..."])
def test_a_name_of_dots_is_not_handed_over(tmp_path: Path, name: str) -> None:
    run = tmp_path / "runs" / "run"
    run.mkdir(parents=True)
    put(run, builders.bundle(builders.trained(3), name))
    code, said = run_command(tmp_path / "runs", "resume", "run")
    assert ((run / "resume_manifest.json").exists(), code) == ((True, 0) if name == "..." else (False, 2)), said
    assert (f"rename {name}.index to ckpt.index" in said) is (name != "...")


@pytest.mark.usefixtures("plain_environment")
def test_what_is_only_listed_is_said_once_and_verified_as_not_told(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "run"
    run.mkdir(parents=True)
    save_file({"w": np.ones(3)}, run / "model.safetensors")
    _, said = run_command(tmp_path / "runs", "resume", "run")
    assert said.rstrip().endswith("safetensors is listed, not resumable here.")
    code, said = run_command(tmp_path / "runs", "verify", "run")
    assert (code, said.strip()) == (1, "run/model.safetensors: not told: no verifier for safetensors.")
