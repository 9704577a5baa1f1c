"""Whether a model's values fit its config: without a trial restore that is not told; with one it is as Keras says."""

import json
from pathlib import Path

import pytest

from core.verify import trial
from core.verify.results import Outcome
from core.verify.run import verify
from tests.support import keras_files
from tests.support.writers import run_together
from tests.support.written import written_folder

NOT_MADE_HERE = {"own.keras": "Own", "lambda.keras": "Lambda"}
TRY = """
import json, sys
from core.verify.trial_program import answer_to
requests = json.loads(open(sys.argv[1]).read())
answers = {name: answer_to(request, lambda _message: None) for name, request in requests.items()}
open(sys.argv[2], "w").write(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def folder() -> Path:
    return written_folder(("write_misfits.py",))


def test_a_trial_restore_tells_what_keras_tells(folder: Path, tmp_path: Path) -> None:
    loads = json.loads((folder / "loads.json").read_text())
    found = keras_files.checkpoints(folder)
    assert found.keys() == loads.keys()
    requests = {path: trial.request_for(str(folder), item) for path, item in found.items()}
    (tmp_path / "requests").write_text(json.dumps(requests))
    run_together([["-c", TRY, str(tmp_path / "requests"), str(tmp_path / "answers")]])
    answers = json.loads((tmp_path / "answers").read_text())
    assert {True, False} == {loads[path] for path in found if path not in NOT_MADE_HERE}
    for path, (ok, _, _, told) in answers.items():
        if path in NOT_MADE_HERE:
            why = f"its config names {NOT_MADE_HERE[path]}, which is not made here"
            assert (ok, told.partition("Not told: ")[2]) == (
                True,
                f"whether they fit the model in the file ({why}).",
            ), path
            continue
        assert ok is loads[path], (path, told)
        assert (" loads the model." in told) is ok, (path, told)


def test_without_a_trial_restore_it_is_not_told(folder: Path) -> None:
    found = keras_files.checkpoints(folder)
    for path in ("new-wider.keras", "old-longer.h5", "folder-same"):
        result = verify(str(folder), found[path])
        assert result.outcome is Outcome.VERIFIED
        assert "Not told: whether they fit the model in the file; verify --restore asks Keras." in result.detail


def test_verify_with_restore_fails_where_keras_does(folder: Path) -> None:
    result = verify(str(folder), keras_files.checkpoints(folder)["new-longer.keras"], restore=True)
    assert (result.outcome, result.passed) == (Outcome.FAILED, False)
    assert "Not told" not in result.detail
    assert result.restore is not None
    assert "does not: A total of 1 objects could not be loaded" in result.restore.detail
