"""What an Orbax step says of itself, and which of it keeps a CheckpointManager from opening the folder."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.support.keras_files import checkpoints

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import orbax.checkpoint as ocp

METADATA = "_CHECKPOINT_METADATA"
WHOLE_TEXTS = (b"", b"[]", b'"x"', b"null", b"3", b"{}", b"{{{", b"\0\0")
VALUES: dict[str, tuple[object, ...]] = {
    "item_handlers": ([], None, "x", {"other": "x"}, {"default": 3}),
    **dict.fromkeys(("metrics", "performance_metrics", "custom_metadata"), ([], None)),
    "commit_timestamp_nsecs": ("a", None, 1.5),
    "unknown": (1,),
}


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of a manager."""
    run = tmp_path_factory.mktemp("orbax") / "run"
    with ocp.CheckpointManager(run) as manager:
        for step in (1, 2):
            manager.save(step, args=ocp.args.StandardSave({"w": np.full(3, step)}))
    return run


def is_opened(run: Path) -> bool:
    """Whether Orbax' manager opens the folder and restores its newest step."""
    try:
        with ocp.CheckpointManager(run) as manager:
            return bool(manager.restore(2, args=ocp.args.StandardRestore())["w"].sum() == 6)
    except ValueError:
        return False


def test_restorable_is_what_a_manager_opens(steps: Path, tmp_path: Path) -> None:
    old = json.loads((steps / "2" / METADATA).read_text())
    texts = [*WHOLE_TEXTS, *(json.dumps(old | {key: one}).encode() for key, values in VALUES.items() for one in values)]
    answers = set()
    for number, text in enumerate(texts):
        run = tmp_path / str(number)
        shutil.copytree(steps, run)
        (run / "2" / METADATA).write_bytes(text)
        found = checkpoints(run)
        opened = is_opened(run)
        assert (found["1"].restorable, found["2"].restorable) == (True, opened), text
        assert [one.rule for one in found["2"].findings] == ([] if opened else ["unopenable-step"]), text
        if not opened:  # the way out that the finding tells
            (run / "2" / METADATA).unlink()
            assert is_opened(run), text
            assert checkpoints(run)["2"].restorable
        answers.add(opened)
    assert answers == {True, False}


def test_whether_an_item_was_ever_saved_only_other_steps_tell(tmp_path: Path) -> None:
    run, items = tmp_path / "run", {"state": ocp.args.StandardSave({"w": np.ones(3)}), "extra": ocp.args.JsonSave({})}
    with ocp.CheckpointManager(run) as manager:
        for step in (1, 2):
            manager.save(step, args=ocp.args.Composite(**items))
    shutil.rmtree(run / "1" / "extra")
    assert [one.rule for one in checkpoints(run)["1"].findings] == ["unreadable-file"]
    shutil.rmtree(run / "2")
    (found,) = checkpoints(run).values()
    assert [one.rule for one in found.findings] == ["not-told"]
    assert "no other step tells whether it was ever saved" in found.findings[0].reason
    shutil.rmtree(run / "1" / "state")
    assert [one.rule for one in checkpoints(run)["1"].findings] == ["unreadable-file"]
