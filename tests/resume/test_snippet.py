"""The code that the Resume page offers is pasted behind what a job has, run, and obeys the manifest."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.base.facts import Format
from core.formats.spec import Framework
from core.resume.history import ManifestState
from core.resume.snippet import framework, snippet
from core.services.checkpoints import inspect
from core.services.manifests import run_manifests
from core.services.resume import propose, resume_from
from tests.client.test_client_training import opened
from tests.support.jobs import job_server

JOB = Path(__file__).parents[1] / "support" / "snippet_job.py"
# What each run of snippet_job.py was saved as, and who goes on from it. Steps are known but of weights alone.
OBEYED = {
    "keras": (Format.KERAS, Framework.KERAS),
    "h5": (Format.HDF5, Framework.KERAS),
    "weights": (Format.WEIGHTS_H5, Framework.KERAS),
    "weights-alone": (Format.WEIGHTS_H5, Framework.KERAS),
    "bkp": (Format.WEIGHTS_H5, Framework.KERAS),
    "orbax": (Format.ORBAX, Framework.KERAS),
    "root": (Format.TF_BUNDLE, Framework.TENSORFLOW),
    "manager": (Format.TF_BUNDLE, Framework.TENSORFLOW),
    "checkpoint": (Format.TF_BUNDLE, Framework.TENSORFLOW),
    "tfk-keras": (Format.KERAS, Framework.TF_KERAS),
    "tfk-h5": (Format.HDF5, Framework.TF_KERAS),
    "tfk-weights": (Format.WEIGHTS_H5, Framework.KERAS),
    "tfk-bundle": (Format.TF_BUNDLE, Framework.TF_KERAS),
    "tfk-saved-model": (Format.SAVED_MODEL, Framework.TF_KERAS),
}
PLAIN = {
    "tf1": (Format.TF_BUNDLE, Framework.TENSORFLOW),
    "sharded": (Format.WEIGHTS_H5_SHARDED, Framework.KERAS),
    "export": (Format.SAVED_MODEL, Framework.TENSORFLOW),
    "jax": (Format.ORBAX, Framework.TENSORFLOW),
    "jax-manager": (Format.ORBAX, Framework.TENSORFLOW),
}
SAVED_EPOCHS, EPOCHS, STEPS = 2, 4, 2  # as snippet_job.py counts


def job(kind: str, folder: Path) -> None:
    """Run the program."""
    done = job_server("keras").run(JOB, kind, folder, folder=folder)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What became of every run: format and framework as the dashboard sees them, the picked path, the snippet, the
    manifest's state afterwards, what the job did, and the values that were saved.
    """
    folder = tmp_path_factory.mktemp("snippets")
    job("save", folder)
    (folder / "snippets").mkdir()
    found: dict[str, dict[str, Any]] = {}
    workspace = opened(folder)
    for run in workspace.runs():
        picked = next(item for item in workspace.members(run.root, run.path) if item.is_latest_restorable)
        proposal = propose(workspace, picked)
        accepted = [warning.id for warning in proposal.warnings]
        manifest, path = resume_from(workspace, picked, proposal, note="", accepted=accepted)
        kind = framework(manifest, [variable.name for variable in inspect(workspace, picked)[1]])
        code = snippet(manifest, str(path.parent), kind)
        (folder / "snippets" / f"{run.path}.py").write_text(code)
        found[run.path] = {
            "seen": (picked.format, kind),
            "picked": manifest.whole_path,
            "step": manifest.restore.initial_step,
            "code": code,
        }
    job("run", folder)
    said, saved = (json.loads((folder / name).read_text()) for name in ("ran.json", "saved.json"))
    for run in workspace.runs():
        state = run_manifests(workspace, run.root, run.path)[0].state
        found[run.path] |= {"state": state, "ran": said[run.path], "saved": saved.get(run.path)}
    workspace.close()
    return found


def test_every_kind_of_snippet_is_run(ran: Mapping[str, Any]) -> None:
    assert {run: one["seen"] for run, one in ran.items()} == OBEYED | PLAIN


@pytest.mark.parametrize("run", OBEYED)
def test_the_snippet_obeys_the_manifest_and_trains_the_epochs_that_are_left(ran: Mapping[str, Any], run: str) -> None:
    one, done = ran[run], SAVED_EPOCHS - (run == "bkp")  # BackupAndRestore's second copy is the one before the last
    assert one["ran"]["source"] == one["picked"]
    assert one["ran"]["step"] == one["step"] == (None if run == "weights-alone" else done * STEPS)
    assert one["ran"]["epochs"] == list(range(done, EPOCHS))
    assert one["state"] is ManifestState.FINISHED


@pytest.mark.parametrize("run", PLAIN)
def test_the_plain_call_restores_what_was_saved_and_says_why_it_is_plain(ran: Mapping[str, Any], run: str) -> None:
    one = ran[run]
    assert one["ran"]["values"] == one["saved"]
    assert one["code"].startswith("# waypoint_resume ")
    assert "withdraw the manifest once the job runs" in one["code"]
    assert one["state"] is ManifestState.PENDING


def test_each_way_in_answers_a_pause(ran: Mapping[str, Any]) -> None:
    for run in OBEYED:
        code = ran[run]["code"]
        own = "start.end_of_step()" if OBEYED[run][1] is Framework.TENSORFLOW else "callbacks=[*callbacks, waypoint]"
        assert own in code
        assert "python -m waypoint_resume run --run RUN -- python train.py" in code
