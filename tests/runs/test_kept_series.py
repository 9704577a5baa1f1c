"""The catalog keeps how a run was arranged into series, so that nobody who reads it arranges the run again."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from core.base.records import Checkpoint
from core.runs.series import arrange, in_series
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.trees import START_NS, index_of, save, shard_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One run with a rotated series, one that went back to lower steps, and damage in each."""
    root = tmp_path / "runs"
    for step in range(3, 9):
        save(root / "a", step)
    for number, step in enumerate((1, 2, 3, 2, 3)):
        save(root / "a", step, name=f"best-{number}", at_ns=START_NS + number)
    shard_of(root / "a/ckpt-8").unlink()
    index_of(root / "a/best-4").write_bytes(b"")
    return root


def members(opened: Workspace) -> tuple[Checkpoint, ...]:
    opened.refresh()
    run = opened.find_run("a")
    return opened.members(run.root, run.path)


def paths(series: tuple[tuple[Checkpoint, ...], ...]) -> list[list[str]]:
    return sorted([item.path for item in one] for one in series)


def test_the_kept_series_are_those_that_arranging_gives(root: Path, workspace: Opener) -> None:
    found = members(workspace(root))
    assert None not in {item.series_order for item in found}
    assert paths(in_series(found)) == paths(arrange(found))
    assert len(in_series(found)) == 2
    assert ["a/ckpt-3", "a/ckpt-4", "a/ckpt-5", "a/ckpt-6", "a/ckpt-7", "a/ckpt-8"] in paths(in_series(found))


def test_a_part_of_a_run_keeps_its_order(root: Path, workspace: Opener) -> None:
    part = [item for item in members(workspace(root)) if item.path in ("a/ckpt-7", "a/ckpt-4", "a/best-1")]
    assert paths(in_series(part)) == [["a/best-1"], ["a/ckpt-4", "a/ckpt-7"]]


def test_a_rotation_writes_only_what_is_new(root: Path, workspace: Opener) -> None:
    opened = workspace(root)
    before = {item.path: item for item in members(opened)}
    for step in (3, 4):
        index_of(root / f"a/ckpt-{step}").unlink()
        shard_of(root / f"a/ckpt-{step}").unlink()
    save(root / "a", 9)
    written: list[Any] = []
    event.listen(opened.engine, "before_cursor_execute", lambda _c, _cursor, sql, *_: written.append(sql))
    after = {item.path: item for item in members(opened)}
    assert [sql for sql in written if sql.startswith("INSERT INTO checkpoints")]
    stays = before.keys() & after.keys()
    assert {path: after[path].series_order for path in stays} == {path: before[path].series_order for path in stays}
    assert paths(in_series(tuple(after.values()))) == paths(arrange(after.values()))


def test_a_save_between_others_is_put_in_its_order(root: Path, workspace: Opener) -> None:
    opened = workspace(root)
    members(opened)
    save(root / "a", 5, name="ckpt-55", at_ns=START_NS + 5 * 60 * 10**9 + 1)
    (_, numbered) = paths(in_series(members(opened)))
    assert numbered[1:5] == ["a/ckpt-4", "a/ckpt-5", "a/ckpt-55", "a/ckpt-6"]


def test_a_catalog_that_kept_no_order_is_arranged_when_it_is_read(root: Path, workspace: Opener) -> None:
    opened = workspace(root)
    expected = paths(in_series(members(opened)))
    with opened.engine.begin() as connection:
        connection.execute(text("UPDATE checkpoints SET series_order = NULL WHERE path LIKE '%best%'"))
    run = opened.find_run("a")
    assert paths(in_series(opened.members(run.root, run.path))) == expected
