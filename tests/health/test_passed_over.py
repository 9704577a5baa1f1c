"""What a look passes over is said: links out of the roots, models that are not read, why there is no run of a name."""

import gzip
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.base.errors import NotFoundError
from core.catalog.filters import FindingFilter
from core.services.missing_runs import why_no_run
from core.services.passed_over import PassedOver, look_up, sentences
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.disk import Disk
from tests.support.trees import save, write
from tests.support.written import written_folder

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123456\n"


@pytest.fixture(scope="module")
def written() -> Path:
    """What the libraries wrote (tests/support/write_passed_over.py)."""
    return written_folder(("write_passed_over.py",))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty root, with a run beside it on another disk."""
    save(tmp_path / "big" / "exp7", 100)
    made = tmp_path / "root"
    save(made / "exp1", 100)
    return made


def looked(opened: Workspace) -> tuple[PassedOver, ...]:
    opened.refresh()
    return look_up(opened.engine, opened.reader.roots())


def why(opened: Workspace, name: object) -> str:
    with pytest.raises(NotFoundError) as raised:
        opened.find_run(str(name))
    return str(raised.value)


def test_links_out_of_the_root_are_counted_with_their_targets(root: Path, workspace: Opener) -> None:
    big = root.parent / "big"
    (root / "exp7").symlink_to(big / "exp7")
    (root / "exp1" / "weights.h5").symlink_to(big / "exp7" / "ckpt-100.index")
    (root / "again").symlink_to(root / "exp1")
    (root / "self").symlink_to(".")
    (root / ".venv").symlink_to(big)
    opened = workspace(root)
    (passed,) = looked(opened)
    assert {link.name: link.target for link in passed.links} == {
        "exp1/weights.h5": str(big / "exp7" / "ckpt-100.index"),
        "exp7": str(big / "exp7"),
    }
    (told,) = sentences(passed)
    assert told.startswith(f"2 links lead out of the root {root} (add their targets as roots): ")
    assert f"exp7 → {big / 'exp7'}" in told
    assert f"It is the link exp7, which leads out of the root to {big / 'exp7'}: add that" in why(opened, "exp7")
    assert "It lies behind the link exp7" in why(opened, "exp7/ckpt-100")


def test_a_link_into_another_root_is_nothing_to_say(root: Path, workspace: Opener) -> None:
    big = root.parent / "big"
    (root / "exp7").symlink_to(big / "exp7")
    found = looked(workspace(root, big))
    assert [passed.links for passed in found] == [(), ()]
    assert [sentences(passed) for passed in found] == [[], []]


def test_a_link_that_comes_to_lead_elsewhere_is_seen(disk: Disk, tmp_path: Path) -> None:
    for target in ("one", "two"):
        (tmp_path / target).mkdir()
        (disk.root / "exp7").unlink(missing_ok=True)
        (disk.root / "exp7").symlink_to(tmp_path / target)
        disk.look()
        (passed,) = look_up(disk.engine, disk.reader.roots())
        assert [link.target for link in passed.links] == [str(tmp_path / target)]


def test_models_of_other_kinds_are_counted_by_folder(written: Path, disk: Disk) -> None:
    shutil.copytree(written / "graphs", disk.root / "old")
    shutil.copytree(written / "lite", disk.root / "phone")
    (disk.root / "phone" / "m.tflite").rename(disk.root / "phone" / "model.bin")  # its content tells
    with zipfile.ZipFile(_made(disk.root / "torch" / "pytorch_model.bin"), "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}))
    write(disk.root / "torch2", {"a.pth": b"x", "b.pt": b"x", "notes.txt": b"x"})
    write(disk.root / "data", {"table.pkl": pickle.dumps([1])})
    write(disk.root / "pointers", {"model.ckpt": POINTER, "m.pth": POINTER, "m.onnx": POINTER})
    write(disk.root / "arrays", {"model_weights.npz": b"PK", "table.npz": b"PK", "best.pdparams": b"x"})
    write(
        disk.root / "unity", {"cat.png": b"x", "cat.png.meta": b"fileFormatVersion: 2\n", "message.pb": b"\x0a\x03abc"}
    )
    save(disk.root / "exp", 100)
    write(disk.root / "exp" / "args", {"args.pkl": pickle.dumps([1])})  # a job's data beside its checkpoints
    disk.look()
    (passed,) = look_up(disk.engine, disk.reader.roots())
    assert {folder.path: dict(folder.kinds) for folder in passed.folders} == {
        "arrays": {"NumPy arrays": 1, "PaddlePaddle": 1},
        "data": {"pickle": 1},
        "old": {"TensorFlow 1 graph (.meta) without its checkpoint": 1, "frozen TensorFlow graph": 1},
        "phone": {"TFLite": 1},
        "pointers": {"Git LFS pointer": 3},
        "torch": {"PyTorch": 1},
        "torch2": {"PyTorch": 2},
    }
    (told,) = sentences(passed)
    assert told.startswith("7 folders hold what Waypoint does not read in ")
    assert "PyTorch (2), " in told
    assert disk.rules() == []


def test_why_there_is_no_run_of_a_name(root: Path, workspace: Opener, tmp_path: Path) -> None:
    save(root / "team" / "resnet-50", 100)
    save(root / "team" / "resnet-101", 100)
    write(root / "pictures" / "cats", {"1.png": b"x", "2.png": b"x", "model.pth": b"x"})
    write(root / "exp1" / "notes", {"a.txt": b"x"})
    opened = workspace(root)
    opened.refresh()
    for name, reason in {
        "team": "It holds 2 runs: team/resnet-101, team/resnet-50.",
        "exp1/notes": "It is a part of the run exp1.",
        "exp1/ckpt-100": "It is a checkpoint of the run exp1.",
        "exp1/ckpt-7": "It would be a part of the run exp1.",
        "pictures": "The folder is there, and holds no checkpoint in it and 1 folder below it: PyTorch (1), .png (2).",
        "pictures/cats": "The folder is there, and holds no checkpoint: PyTorch (1), .png (2).",
        "team/resnet50": "Nothing of that name was there at the last look. Runs with similar names: team/resnet-50",
        "exp1/.git/x": "It is ignored: folders named .git are not looked into.",
        tmp_path / "elsewhere": f"It lies outside of the roots ({root}): add it as a root",
        "../elsewhere": f"It lies outside of the roots ({root}): add it as a root",
    }.items():
        assert reason in why(opened, name), name


def test_what_may_not_be_looked_into_is_there(disk: Disk) -> None:
    (disk.root / "locked").mkdir()
    disk.store.refused = frozenset({"locked"})
    disk.look()
    told = why_no_run(disk.engine, disk.reader.roots(), "locked")
    assert told.startswith("The folder is there, and locked could not be looked into")


@pytest.mark.parametrize(
    ("text", "place", "is_deleted"),
    [
        ("lifecycle_stage: deleted\nrun_id: 5f3c\n", "mlruns/0/5f3c", True),
        ("lifecycle_stage: active\nrun_id: 5f3c\n", "mlruns/0/5f3c", False),
        ("lifecycle_stage: active\nrun_id: 5f3c\n", "mlruns/.trash/7/5f3c", True),
        ("name: 'lifecycle_stage: deleted'\nrun_id: 5f3c\n", "mlruns/0/5f3c", False),
        ("lifecycle_stage: deleted\nname: experiment\n", "mlruns/0/5f3c", False),
    ],
)
def test_a_run_that_was_deleted_in_mlflow_says_so(disk: Disk, text: str, place: str, is_deleted: bool) -> None:
    save(disk.root / place / "artifacts", 100)
    write(disk.root / place, {"meta.yaml": text.encode()})
    disk.look()
    (run,) = disk.runs().values()
    assert run.is_deleted is is_deleted
    rules = [item.finding.rule for item in disk.reader.findings(FindingFilter())]
    assert ("deleted-run" in rules) is is_deleted
    write(disk.root / place, {"meta.yaml": b"lifecycle_stage: active\nrun_id: 5f3c\n"}, at_ns=1)
    disk.look()
    (run,) = disk.runs().values()
    assert run.is_deleted is (".trash" in place)


def _packed(path: Path) -> str:
    Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return f"{path.name}.gz is there: gunzip it."


def _as_pointer(path: Path) -> str:
    path.write_bytes(POINTER)
    return "a Git LFS pointer stands in its place."


@pytest.mark.parametrize("change", [_packed, _as_pointer], ids=["gz", "lfs"])
@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("ckpts", "ckpt-2.data-00000-of-00001"),
        ("ckpts", "ckpt-2.index"),
        ("model", "variables/variables.data-00000-of-00001"),
        ("model", "variables/variables.index"),
        ("model", "saved_model.pb"),
        (".", "sharded_00000.weights.h5"),
    ],
)
def test_a_part_that_is_compressed_or_a_pointer_is_named(
    written: Path, disk: Disk, folder: str, name: str, change: Callable[[Path], str]
) -> None:
    shutil.copytree(written, disk.root / "run")
    told = change(disk.root / "run" / folder / name)
    disk.look()
    found = {
        item.finding.rule: item.finding.reason
        for item in disk.reader.findings(FindingFilter())
        if item.finding.severity.value != "info"
    }
    if name == "saved_model.pb" and change is _packed:  # then its variables are a bundle, which can be read
        assert "no-saved-model" in found
        return
    rule = "packed-file" if change is _packed else "lfs-pointer"
    assert told in found[rule]
    assert name.rpartition("/")[2] in found[rule]
    assert not {"orphan-shard", "orphan-index", "missing-shard", "unreadable-file"} & set(found)


def test_a_saved_model_without_its_pb_says_so_and_its_variables_stay(written: Path, disk: Disk) -> None:
    shutil.copytree(written / "model", disk.root / "run" / "model")
    (disk.root / "run" / "model" / "saved_model.pb").unlink()
    disk.look()
    path = "run/model/variables/variables"
    assert (path, "no-saved-model") in disk.rules()
    assert disk.items()[path].restorable  # TensorFlow reads it as a bundle


def test_what_workers_saved_for_themselves_is_nobodys_checkpoint(written: Path, disk: Disk) -> None:
    shutil.copytree(written / "ckpts", disk.root / "run")
    shutil.copytree(written / "ckpts", disk.root / "run" / "workertemp_1")
    shutil.copytree(written / "model", disk.root / "run" / "workertemp_2" / "model")
    disk.look()
    assert sorted(disk.items()) == ["run/ckpt-1", "run/ckpt-2"]
    assert list(disk.runs()) == ["run"]
    left = {item.path: item for item in disk.reader.leftovers("r00t", "run")}
    assert sorted(len(item.files) for item in left.values()) == [4, 5]
    assert all("temporary folder workertemp_" in item.reason for item in left.values())


def test_an_estimators_exports_belong_to_its_run_and_have_no_step(written: Path, disk: Disk) -> None:
    shutil.copytree(written / "ckpts", disk.root / "run")
    for exporter, stamp in (("best", 1583012345), ("final-serving", 1583012345), ("final-serving", 1583019999)):
        shutil.copytree(written / "model", disk.root / "run" / "export" / exporter / str(stamp))
    disk.look()
    assert list(disk.runs()) == ["run"]
    exports = [item for path, item in disk.items().items() if path.startswith("run/export/")]
    assert len(exports) == 3
    assert {(item.facts.step, item.facts.epoch) for item in exports} == {(None, None)}


def test_a_part_behind_a_link_is_not_told(written: Path, disk: Disk, tmp_path: Path) -> None:
    shutil.copytree(written / "model", disk.root / "run")
    (disk.root / "run" / "variables").rename(tmp_path / "variables")
    (disk.root / "run" / "variables").symlink_to(tmp_path / "variables")
    disk.look()
    assert disk.rules() == [("run", "not-told")]


def test_nothing_is_held_where_there_is_a_checkpoint(disk: Disk) -> None:
    save(disk.root / "exp", 100)
    write(disk.root / "exp", {"model.pth": b"x"})
    disk.look()
    (passed,) = look_up(disk.engine, disk.reader.roots())
    assert passed.folders == ()


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
