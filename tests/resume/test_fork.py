"""Forks: a new run with a copy of one checkpoint; whole or not at all, and the old run keeps every byte."""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import ReadOnlyError
from core.base.facts import Format
from core.base.files import FileStat
from core.base.records import Checkpoint
from core.resume.copies import new_run
from core.resume.errors import ChangedError, ModeError, NameTakenError, NoRoomError, NotAcceptedError, RunNameError
from core.resume.fork import fork
from core.resume.history import ManifestState, read_manifests
from core.resume.manifest import Manifest, Mode, parse
from core.resume.propose import propose
from core.runfolder.places import locked
from core.runfolder.run_folder import RunFolder
from core.runs.walk import look
from core.services import resume
from core.services.manifests import run_manifests
from core.services.runs import series_choices
from core.stores.local import LocalStore
from tests.conftest import Opener
from tests.resume.test_resume_write import log_of
from tests.support.quarantine_cases import tree
from tests.support.read_only import refuse_writes
from tests.support.resume_cases import NOW, a_checkpoint, a_run, on_disk, run_folder_of
from tests.support.small_disks import Maker
from tests.support.trees import save, state
from waypoint_resume.atomic import is_temp
from waypoint_resume.identity import identity_of
from waypoint_resume.state_store import StateStore

RUN = "exp/a"


def forked(
    root: Path, checkpoint: Checkpoint, name: str = "b", decisions_dir: Path | None = None, **more: object
) -> tuple[Manifest, Path]:
    """Fork with every warning accepted."""
    proposal = propose(checkpoint, (checkpoint,), a_run(path=checkpoint.run), NOW, Mode.FORK)
    accepted = [caution.id for caution in proposal.warnings]
    known: dict[str, object] = {"name": name, "actor": "ada", "note": "", "accepted": accepted, "now": NOW}
    place = run_folder_of(root, checkpoint, decisions_dir)
    return fork(place, checkpoint, proposal, **(known | more))  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", [None, "cut", "no arrays"])
def test_the_state_kept_beside_the_pick_goes_with_it(tmp_path: Path, workspace: Opener, damage: str | None) -> None:
    root = tmp_path / "root"
    for step in (1, 2):
        save(root / RUN / "ckpts", step)
    store, best = StateStore(root / RUN, root / RUN), [np.arange(9_000.0)]
    for step in (1, 2):
        store.keep(identity_of(root / RUN, f"ckpts/ckpt-{step}"), {"best": best, "step": step})
    pick = identity_of(root / RUN, "ckpts/ckpt-2")
    if damage == "cut":
        os.truncate(store.folder / f"{pick.digest}.json", 30)
    elif damage:
        next(store.folder.glob("*.npz")).unlink()
    opened = workspace(root)
    opened.refresh()
    (item,) = [one for one in opened.members(opened.find_run(RUN).root, RUN) if one.path.endswith("ckpt-2")]
    forked(root, item)
    new = root / "exp/b"
    found = StateStore(new, new).find(identity_of(new, "ckpts/ckpt-2"))
    if damage:
        assert found.state is None
        return
    assert found.state is not None
    assert found.state["step"] == 2
    assert found.state["best"][0].tolist() == best[0].tolist()
    assert len(list((new / ".waypoint/state").iterdir())) == 2


def of_files(*names: str, form: Format, folder: str = "exp/a/out", path: str = "exp/a/out") -> Checkpoint:
    """A checkpoint of some files."""
    files = tuple(FileStat(name=name, size=70, mtime_ns=1) for name in names)
    return a_checkpoint()._replace(folder=folder, path=path, format=form, files=files, bytes=70 * len(files))


def test_a_fork_through_the_workspace(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "root"
    for step in (1, 2, 3):
        save(root / RUN / "ckpts", step)
    state(root / RUN / "ckpts", "ckpt-3", "ckpt-1", "ckpt-2", "ckpt-3")
    opened = workspace(root)
    opened.refresh()
    before = tree(root / RUN)
    (pick,) = [item for item in opened.members(opened.find_run(RUN).root, RUN) if item.path.endswith("ckpt-2")]
    proposal = resume.propose(opened, pick, Mode.FORK)
    assert proposal.fork_name == "a-from-2"
    done: list[int] = []
    accepted = [caution.id for caution in proposal.warnings]
    manifest, path = resume.resume_from(opened, pick, proposal, note="wider", accepted=accepted, watch=done.append)

    new = root / "exp/a-from-2"
    assert path == new / "resume_manifest.json"
    assert parse(path.read_bytes()) == manifest
    assert (manifest.run, manifest.mode, manifest.note) == ("exp/a-from-2", Mode.FORK, "wider")
    assert manifest.checks[-1].name == "forked from"
    index = root / RUN / "ckpts/ckpt-2.index"
    assert manifest.checks[-1].detail == f"exp/a, ckpts/ckpt-2: 1 files linked, 1 copied ({index.stat().st_size} B)"
    assert done[-1] == pick.bytes
    assert tree(root / RUN) == before
    names = {"ckpts/ckpt-2.index", "ckpts/ckpt-2.data-00000-of-00001"}
    assert tree(new).keys() == {*names, "ckpts/checkpoint", "resume_manifest.json"}
    assert [name for name in names if (new / name).samefile(root / RUN / name)] == ["ckpts/ckpt-2.data-00000-of-00001"]
    assert (new / "ckpts/checkpoint").read_text() == (
        'model_checkpoint_path: "ckpt-2"\nall_model_checkpoint_paths: "ckpt-2"\n'
    )
    (old_line,), (new_line,) = log_of(root / RUN), log_of(new)
    assert (old_line["event"], old_line["to"], old_line["checkpoint"]) == ("fork", "exp/a-from-2", "ckpts/ckpt-2")
    assert (new_line["event"], new_line["from"], new_line["manifest"]) == ("forked", RUN, manifest.id)

    opened.refresh()
    child = opened.find_run("exp/a-from-2")
    assert (child.checkpoints, child.restorable, child.status) == (1, 1, opened.find_run(RUN).status)
    assert series_choices(opened, child.root, child.path)[0].tensorflow_latest == "exp/a-from-2/ckpts/ckpt-2"
    assert [entry.state for entry in run_manifests(opened, child.root, child.path)] == [ManifestState.PENDING]
    assert run_manifests(opened, child.root, RUN) == ()
    assert resume.propose(opened, pick, Mode.FORK).fork_name == "a-from-2-2"


@pytest.mark.parametrize(
    "checkpoint",
    [
        of_files(
            "saved_model.pb",
            "variables/variables.index",
            "variables/variables.data-00000-of-00001",
            form=Format.SAVED_MODEL,
        ),
        of_files("m.keras", form=Format.KERAS, path="exp/a/out/m.keras"),
        of_files("m.weights.h5", form=Format.WEIGHTS_H5, folder="exp/a", path="exp/a/m.weights.h5"),
        of_files("_CHECKPOINT_METADATA", "pytree/d/0", form=Format.ORBAX),
    ],
    ids=lambda item: item.format.value,
)
def test_whatever_is_no_bundle_is_copied_with_times_and_modes(tmp_path: Path, checkpoint: Checkpoint) -> None:
    checkpoint = on_disk(tmp_path, checkpoint)
    first = tmp_path / checkpoint.folder / checkpoint.files[0].name
    first.chmod(0o640)
    before = tree(tmp_path / RUN)
    manifest, path = forked(tmp_path, checkpoint)
    after = tree(path.parent)
    after.pop("resume_manifest.json")
    assert after == before == tree(tmp_path / RUN)
    assert all((path.parent / name).stat().st_nlink == 1 for name in after)
    size = f"{70 * len(after)} B"
    assert manifest.checks[-1].detail.endswith(f": 0 files linked, {len(after)} copied ({size})")


def test_a_bundles_graph_is_copied_and_so_is_all_where_links_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("m-1.index", "m-1.data-00000-of-00001", "m-1.meta")
    checkpoint = on_disk(tmp_path, of_files(*names, form=Format.TF_BUNDLE, path="exp/a/out/m-1"))
    assert "1 files linked, 2 copied" in forked(tmp_path, checkpoint)[0].checks[-1].detail

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    manifest, path = forked(tmp_path, checkpoint, "c")
    assert "0 files linked, 3 copied (210 B)" in manifest.checks[-1].detail
    assert (path.parent / "out/m-1.data-00000-of-00001").stat().st_nlink == 1


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "x/y", "x\0", "n" * 201, "node_modules"], ids=repr)
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    checkpoint = on_disk(tmp_path, a_checkpoint())
    with pytest.raises(RunNameError, match="cannot be the name of a run's folder"):
        forked(tmp_path, checkpoint, name)
    assert os.listdir(tmp_path / "exp") == ["a"]
    assert not (tmp_path / RUN / ".waypoint").exists()


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_nothing_that_is_there_is_written_over(tmp_path: Path, what: str) -> None:
    checkpoint = on_disk(tmp_path, a_checkpoint())
    taken = tmp_path / "exp/b"
    if what == "file":
        taken.touch()
    elif what == "folder":
        taken.mkdir()
    else:
        taken.symlink_to("nowhere")
    with pytest.raises(NameTakenError, match=r"exp/b is there already: choose another name"):
        forked(tmp_path, checkpoint)
    assert sorted(os.listdir(tmp_path / "exp")) == ["a", "b"]
    assert [line["event"] for line in log_of(tmp_path / RUN)] == ["fork", "fork failed"]


def test_a_name_that_is_taken_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    checkpoint = on_disk(tmp_path, a_checkpoint())
    taken = tmp_path / "exp/b"
    with pytest.raises(NameTakenError):
        forked(tmp_path, checkpoint, watch=lambda _done: taken.mkdir(exist_ok=True))
    assert (sorted(os.listdir(tmp_path / "exp")), os.listdir(taken)) == (["a", "b"], [])


def test_a_file_that_is_written_meanwhile_stops_the_fork(tmp_path: Path) -> None:
    checkpoint = on_disk(tmp_path, a_checkpoint())
    index = tmp_path / checkpoint.folder / "ckpt-7.index"
    with pytest.raises(ChangedError, match=r"ckpt-7\.index was written since"):
        forked(tmp_path, checkpoint, watch=lambda _done: os.utime(index, ns=(1, 1)))
    assert os.listdir(tmp_path / "exp") == ["a"]


def test_a_run_that_is_its_root_and_warnings_not_accepted_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModeError, match="The run is its root"):
        forked(tmp_path, on_disk(tmp_path, a_checkpoint(folder="", run=".")))
    with pytest.raises(NotAcceptedError):
        forked(tmp_path, on_disk(tmp_path, a_checkpoint()), accepted=())
    assert os.listdir(tmp_path / "exp") == ["a"]


def test_a_run_below_the_root_is_forked_into_the_root(tmp_path: Path) -> None:
    manifest, path = forked(tmp_path, on_disk(tmp_path, a_checkpoint(folder="a", run="a")))
    assert (manifest.run, path) == ("b", tmp_path / "b/resume_manifest.json")


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    checkpoint = on_disk(tmp_path, a_checkpoint(folder="exp/\udce9/c", run="exp/\udce9"))
    manifest, path = forked(tmp_path, checkpoint, "\udce9-2")
    assert manifest.run == r"exp/\xe9-2"
    assert path.parent == tmp_path / "exp/\udce9-2"
    assert (path.parent / "c/checkpoint").read_text().startswith('model_checkpoint_path: "ckpt-7"\n')


def test_a_copy_that_does_not_fit_is_refused_before_and_taken_back_after(
    small_disk: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small_disk("small", "1m")
    big = FileStat(name="m.keras", size=600 * 1024, mtime_ns=1)
    checkpoint = on_disk(root, a_checkpoint()._replace(format=Format.KERAS, files=(big,)))
    with pytest.raises(NoRoomError, match=r"The copy needs 600\.0 KiB, and .*exp has .* KiB left"):
        forked(root, checkpoint)
    monkeypatch.setattr("core.resume.fork._require_room", lambda *_: None)
    with pytest.raises(NoRoomError, match="was full before the copy was whole"):
        forked(root, checkpoint)
    assert os.listdir(root / "exp") == ["a"]


def test_a_read_only_run_can_be_forked_where_decisions_lie_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = on_disk(tmp_path / "root", a_checkpoint())
    parent = tmp_path / "root" / RUN
    refuse_writes(monkeypatch, lambda path: path.is_relative_to(parent))
    _, path = forked(tmp_path / "root", checkpoint, decisions_dir=tmp_path / "apart")
    assert path == tmp_path / "root/exp/b/resume_manifest.json"
    assert os.listdir(parent) == ["ckpts"]
    assert [line["event"] for line in log_of(tmp_path / "apart/r00t" / RUN)] == ["fork"]


def test_what_a_kill_left_is_unseen_and_removed_by_the_next_of_its_name(tmp_path: Path) -> None:
    checkpoint = on_disk(tmp_path, a_checkpoint())
    left = tmp_path / "exp/.b.0123456789abcdef.waypoint-tmp"
    (left / "ckpts").mkdir(parents=True)
    other = tmp_path / "exp/.c.0123456789abcdef.waypoint-tmp"
    other.mkdir()
    assert look(LocalStore(str(tmp_path)), "exp").subfolders == ("a",)
    forked(tmp_path, checkpoint)
    assert sorted(os.listdir(tmp_path / "exp")) == [other.name, "a", "b"]


def test_a_job_of_the_old_run_does_not_wait_for_the_copy(tmp_path: Path) -> None:
    checkpoint = on_disk(tmp_path, a_checkpoint())
    held: list[bool] = []

    def watch(_done: int) -> None:
        with locked(tmp_path / RUN, wait=0):
            held.append(True)

    _, path = forked(tmp_path, checkpoint, watch=watch)
    assert held
    assert path.exists()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    checkpoint, real = on_disk(tmp_path, a_checkpoint()), os.mkdir

    def refused(path: Path, *more: int, **known: int) -> None:
        if is_temp(Path(path).name):
            raise OSError(number, os.strerror(number), str(path))
        real(path, *more, **known)

    monkeypatch.setattr(os, "mkdir", refused)
    with pytest.raises(ReadOnlyError) as caught:
        forked(tmp_path, checkpoint)
    assert str(caught.value) == f"{tmp_path / 'exp'} cannot be written ({os.strerror(number)}): no run can lie there."
    assert [line["event"] for line in log_of(tmp_path / RUN)] == ["fork", "fork failed"]


def test_one_that_is_being_made_by_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "exp").mkdir()
    with new_run(tmp_path / "exp", "b") as slow:
        with new_run(tmp_path / "exp", "b"):
            assert slow.is_dir()
        (tmp_path / "exp/b").rename(tmp_path / "exp/fast")
        assert [is_temp(name) for name in sorted(os.listdir(tmp_path / "exp"))] == [True, False]
    shutil.rmtree(tmp_path / "exp/fast")
    assert os.listdir(tmp_path / "exp") == ["b"]
    with locked(tmp_path / "exp/b", wait=0):
        pass


def test_training_on_in_a_fork_leaves_the_old_run_alone(tmp_path: Path, workspace: Opener) -> None:
    """TensorFlow finds the pick, loads it, saves on and rotates: the parent keeps every byte."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    value = tf.Variable(0.0)
    step = tf.Variable(0, dtype=tf.int64)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(value=value, step=step), str(tmp_path / "root/a/ckpts"), max_to_keep=None
    )
    for number in (1, 2, 3):
        value.assign(float(number))
        step.assign(number * 100)
        manager.save()
    opened = workspace(tmp_path / "root")
    opened.refresh()
    (pick,) = [item for item in opened.members(opened.find_run("a").root, "a") if item.path.endswith("ckpt-2")]
    before = tree(tmp_path / "root/a")
    proposal = resume.propose(opened, pick, Mode.FORK)
    accepted = [caution.id for caution in proposal.warnings]
    _, path = resume.resume_from(opened, pick, proposal, note="", accepted=accepted, fork_name="wider")

    folder = path.parent / "ckpts"
    assert path.parent.name == "wider"
    assert tf.train.latest_checkpoint(str(folder)) == str(folder / "ckpt-2")
    copy = tf.train.Checkpoint(value=tf.Variable(9.0), step=tf.Variable(9, dtype=tf.int64))
    follower = tf.train.CheckpointManager(copy, str(folder), max_to_keep=1)
    copy.restore(follower.latest_checkpoint).assert_consumed()
    assert (float(copy.value), int(copy.step)) == (2.0, 200)
    for _ in range(3):
        copy.value.assign_add(0.5)
        follower.save()
    copy.write(str(folder / "ckpt-2"))  # a job that writes over the very name that is shared
    assert {name.name for name in folder.glob("*.index")} == {"ckpt-2.index", "ckpt-5.index"}
    assert tree(tmp_path / "root/a") == before
    assert json.loads(path.read_text())["mode"] == "fork"
    assert read_manifests(RunFolder.alone(tmp_path / "root/a")).entries == ()
