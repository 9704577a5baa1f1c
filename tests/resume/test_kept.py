"""What jobs kept of their picks: listed, counted as its own kind, brought back under a free name, taken away again."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.base.errors import CoreError, NotFoundError
from core.cli.app import app
from core.config.settings import load
from core.disk_usage.known_files import Kind
from core.resume.kept import bring_back, is_back, kept_checkpoints, take_away
from core.runfolder.run_folder import RunFolder
from core.services import disk_space
from core.services.workspace import Workspace
from tests.support.resume_cases import NOW
from waypoint_resume.claim import Decision
from waypoint_resume.kept import keep_pick

FORMS = {
    "keras": ("best.keras", {"best.keras": b"k" * 100}, "best-kept.keras"),
    "bundle": (
        "ckpts/ckpt-5",
        {"ckpts/ckpt-5.index": b"i", "ckpts/ckpt-5.data-00000-of-00001": b"d"},
        "ckpts/ckpt-5-kept",
    ),
    "orbax": ("steps/5", {"steps/5/_CHECKPOINT_METADATA": b"{}", "steps/5/pytree/d/x": b"x"}, "steps/5-kept"),
    "weights": ("w.weights.h5", {"w.weights.h5": b"w"}, "w-kept.weights.h5"),
}
FORMATS = {"keras": "keras", "bundle": "tf-bundle", "orbax": "orbax", "weights": "weights-h5"}
IDENTITY = "01890a5d-ac96-774b-bcce-b302099a8057"


def content(run: Path) -> dict[Path, bytes]:
    """Every file of a run that is not Waypoint's own."""
    files = (path for path in run.rglob("*") if path.is_file() and ".waypoint" not in path.parts)
    return {path: path.read_bytes() for path in files}


def a_kept_run(run: Path, form: str) -> dict[str, bytes]:
    """A run whose pick a job keeps; the files of the pick."""
    path, files, _ = FORMS[form]
    for name, data in files.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(data)
    picked = {"path": path, "format": FORMATS[form], "files": [{"path": name} for name in files]}
    manifest = {"id": IDENTITY, "checkpoint": picked}
    assert keep_pick(Decision(run=run, home=run, job="night", manifest=manifest), path) is None
    return files


@pytest.mark.parametrize("form", FORMS)
def test_a_kept_checkpoint_comes_back_beside_its_place_and_goes_again(tmp_path: Path, form: str) -> None:
    files = a_kept_run(tmp_path, form)
    (item,) = kept_checkpoints(RunFolder.alone(tmp_path))
    assert item.is_original_there(tmp_path)
    for name in files:  # the job saves over it, in place
        (tmp_path / name).unlink()
        (tmp_path / name).write_bytes(b"worse")
    before = content(tmp_path)
    assert not item.is_original_there(tmp_path)
    path, _, wanted = FORMS[form]
    assert bring_back(RunFolder.alone(tmp_path), IDENTITY[-8:], actor="ada", now=NOW) == wanted
    ends = {name: name[len(path) :] if form in ("bundle", "orbax") else "" for name in files}
    back = {tmp_path / f"{wanted}{ends[name]}": data for name, data in files.items()}
    assert content(tmp_path) == before | back
    with pytest.raises(CoreError, match="was brought back already"):
        bring_back(RunFolder.alone(tmp_path), IDENTITY, actor="ada", now=NOW)
    take_away(RunFolder.alone(tmp_path), IDENTITY, actor="ada", now=NOW)
    assert {path: path.read_bytes() for path in before} == before
    assert not any(path.exists() for path in back)
    assert not is_back(item)
    with pytest.raises(NotFoundError):
        take_away(RunFolder.alone(tmp_path), IDENTITY, actor="ada", now=NOW)


def test_a_name_that_is_taken_is_passed_over_and_what_was_changed_stays(tmp_path: Path) -> None:
    a_kept_run(tmp_path, "keras")
    (tmp_path / "best-kept.keras").write_bytes(b"mine")
    assert bring_back(RunFolder.alone(tmp_path), IDENTITY, actor="ada", now=NOW) == "best-kept-2.keras"
    (tmp_path / "best-kept-2.keras").write_bytes(b"changed")
    with pytest.raises(CoreError, match="was written since"):
        take_away(RunFolder.alone(tmp_path), IDENTITY, actor="ada", now=NOW)
    assert (tmp_path / "best-kept-2.keras").read_bytes() == b"changed"
    assert (tmp_path / "best-kept.keras").read_bytes() == b"mine"


def test_the_audit_and_the_shell_know_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_HOME", str(tmp_path / "home"))
    root = tmp_path / "runs"
    a_kept_run(root / "a", "bundle")
    workspace = Workspace.open(load(roots_override=[root]).model_copy(update={"home": tmp_path / "home"}))
    workspace.refresh()
    usage = dict(disk_space.audit(workspace).usage.by_kind)
    workspace.close()
    assert usage[Kind.KEPT].files >= 2  # a linked shard is counted where the walk meets it first
    shell = CliRunner()
    listed = shell.invoke(app, ["kept", "a", "--root", str(root), "--json"])
    (row,) = json.loads(listed.stdout)
    assert (row["path"], row["original_is_there"], row["is_back"]) == ("ckpts/ckpt-5", True, False)
    assert json.loads(shell.invoke(app, ["kept", "a", IDENTITY, "--root", str(root), "--json"]).stdout) == {
        "path": "ckpts/ckpt-5-kept"
    }
    assert (root / "a/ckpts/ckpt-5-kept.index").read_bytes() == b"i"
    assert shell.invoke(app, ["kept", "a", IDENTITY, "--undo", "--root", str(root)]).exit_code == 0
    assert not (root / "a/ckpts/ckpt-5-kept.index").exists()
