"""A job finds the steps of early Orbax, which have no mark, so that it never starts afresh beside them."""

from __future__ import annotations

from pathlib import Path

from waypoint_resume.checkpoints import find_checkpoints


def test_a_numbered_folder_of_items_is_a_step(tmp_path: Path) -> None:
    for folder in ("run/30/default", "run/step_40/pytree", "run/notes/default", "run/7/best"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "_METADATA").write_text("{}")
    (tmp_path / "run/7/best/_CHECKPOINT_METADATA").write_text("{}")  # saved by itself: 7 is a folder, not a step
    found = {(one.path, one.format) for one in find_checkpoints(tmp_path / "run")}
    assert found == {("30", "orbax"), ("step_40", "orbax"), ("7/best", "orbax")}
