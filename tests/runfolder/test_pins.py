"""Pins: kept beside the run, one writer at a time, and where they cannot be read everything counts as pinned."""

import functools
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.base.errors import BusyError, CoreError, NotFoundError, ReadOnlyError
from core.base.facts import Format
from core.runfolder import places, run_folder
from core.runfolder.pins import MAX_NOTE, Pin, pin, read_pins, unpin
from core.runfolder.run_folder import RunFolder
from waypoint_resume.names import short_id

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
FIRST = Pin(path="ckpts/ckpt-7", format=Format.TF_BUNDLE, note="for the paper", by="ada", at="2026-01-31T09:30:00Z")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run."""
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def pin_first(run: Path, decisions: Path | None = None) -> Pin:
    return pin(RunFolder.alone(run, decisions), FIRST.path, FIRST.format, actor="ada", now=NOW, note=" for the paper\n")


def test_a_pin_is_read_back_logged_and_undone(run: Path) -> None:
    assert pin_first(run) == FIRST
    assert read_pins(RunFolder.alone(run)).pins == (FIRST,)
    assert read_pins(RunFolder.alone(run)).why(FIRST.path, FIRST.format) == "pinned by ada: for the paper"
    assert read_pins(RunFolder.alone(run)).why(FIRST.path, None) == "pinned by ada: for the paper"
    assert read_pins(RunFolder.alone(run)).why(FIRST.path, Format.SAVED_MODEL) is None
    assert read_pins(RunFolder.alone(run)).why("ckpts/ckpt-8", Format.TF_BUNDLE) is None
    assert unpin(RunFolder.alone(run), FIRST.path, FIRST.format, actor="eve", now=NOW) == FIRST
    assert read_pins(RunFolder.alone(run)).pins == ()
    lines = [json.loads(line) for line in (run / ".waypoint/log.jsonl").read_text().splitlines()]
    assert [(line["event"], line["actor"], line["checkpoint"]) for line in lines] == [
        ("pin", "ada", FIRST.path),
        ("unpin", "eve", FIRST.path),
    ]
    assert sorted(path.name for path in (run / ".waypoint").iterdir()) == ["decisions.lock", "log.jsonl", "pins.json"]


def test_pinning_again_changes_the_note_and_keeps_the_others(run: Path) -> None:
    pin_first(run)
    other = pin(RunFolder.alone(run), "ckpts/ckpt-8", Format.KERAS, actor="bob", now=NOW)
    again = pin(RunFolder.alone(run), FIRST.path, FIRST.format, actor="eve", now=NOW, note="still needed")
    assert read_pins(RunFolder.alone(run)).pins == (again, other)
    assert read_pins(RunFolder.alone(run)).why("ckpts/ckpt-8", Format.KERAS) == "pinned by bob"


def test_what_is_not_pinned_cannot_be_unpinned(run: Path) -> None:
    with pytest.raises(NotFoundError, match="ckpts/ckpt-7 \\(tf-bundle\\) is not pinned"):
        unpin(RunFolder.alone(run), FIRST.path, FIRST.format, actor="ada", now=NOW)
    assert list(run.iterdir()) == []


def document(**changes: object) -> bytes:
    """A file with one pin, changed."""
    whole = {"path": "a", "format": "keras", "note": "", "by": "ada", "at": "2026-01-31T09:30:00Z"}
    return json.dumps({"version": 1, "pins": [whole | changes]}).encode()


def test_a_pin_that_somebody_wrote_by_hand_counts(run: Path) -> None:
    (run / ".waypoint").mkdir()
    (run / ".waypoint/pins.json").write_bytes(document())
    assert [(item.path, item.by) for item in read_pins(RunFolder.alone(run)).pins] == [("a", "ada")]
    assert read_pins(RunFolder.alone(run)).problems == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 2, "pins": []}',
        b'{"version": true, "pins": []}',
        b'{"version": 1, "pins": [], "pins": []}',
        b'{"version": 1, "pins": [], "more": 1}',
        b'{"version": 1, "pins": 7}',
        b'{"version": 1, "pins": [{"path": "a"}]}',
        b'{"version": 1, "pins": [["path", "a"]]}',
        document(path="../a"),
        document(format="pickle"),
        document(note=1),
        document(at="yesterday"),
    ],
    ids=[
        *("empty", "cut", "array", "version", "bool-version", "twice", "unknown-key", "no-list", "fields-missing"),
        *("no-object", "outside", "unknown-format", "no-text", "no-time"),
    ],
)
def test_pins_that_cannot_be_understood_pin_everything_and_are_not_written_over(run: Path, content: bytes) -> None:
    (run / ".waypoint").mkdir()
    (run / ".waypoint/pins.json").write_bytes(content)
    found = read_pins(RunFolder.alone(run))
    assert (found.pins, len(found.problems)) == ((), 1)
    why = found.why("any", Format.KERAS)
    assert why is not None
    assert why.startswith("pins cannot be read, so that everything counts as pinned (.waypoint/pins.json: ")
    for action in (pin, unpin):
        with pytest.raises(CoreError, match=r"pins\.json cannot be understood: .+ Mend it, or move it away"):
            action(RunFolder.alone(run), FIRST.path, FIRST.format, actor="ada", now=NOW)
    assert (run / ".waypoint/pins.json").read_bytes() == content


def test_a_link_or_a_folder_in_the_place_of_the_pins_pins_everything(run: Path, tmp_path: Path) -> None:
    (run / ".waypoint").mkdir()
    (tmp_path / "elsewhere.json").write_text('{"version": 1, "pins": []}')
    (run / ".waypoint/pins.json").symlink_to(tmp_path / "elsewhere.json")
    assert read_pins(RunFolder.alone(run)).why("any", None) is not None
    (run / ".waypoint/pins.json").unlink()
    (run / ".waypoint/pins.json").mkdir()
    assert read_pins(RunFolder.alone(run)).why("any", None) is not None


@pytest.mark.parametrize("path", ["", "/a", "../a", "a/../b", "a//b", "a\0b"])
def test_a_path_that_is_none_of_the_run_is_refused(run: Path, path: str) -> None:
    with pytest.raises(ValueError, match=r"path|part|NUL|\.\."):
        pin(RunFolder.alone(run), path, Format.KERAS, actor="ada", now=NOW)
    assert list(run.iterdir()) == []


def test_a_note_that_is_too_long_is_refused_and_one_with_odd_bytes_is_kept(run: Path) -> None:
    with pytest.raises(CoreError, match="20,001 characters; allowed: at most 20,000"):
        pin(RunFolder.alone(run), "a", Format.KERAS, actor="ada", now=NOW, note="x" * (MAX_NOTE + 1))
    assert pin(RunFolder.alone(run), "a", Format.KERAS, actor="ada", now=NOW, note="\udc80").note == "\\udc80"
    assert read_pins(RunFolder.alone(run)).pins[0].note == "\\udc80"


def test_both_homes_count(run: Path, tmp_path: Path) -> None:
    decisions = tmp_path / "decisions/r00t/run"
    pin_first(run)
    pin(RunFolder.alone(decisions), "ckpts/ckpt-8", Format.KERAS, actor="bob", now=NOW)
    assert [item.by for item in read_pins(RunFolder.alone(run, decisions)).pins] == ["ada", "bob"]
    unpin(RunFolder.alone(run, decisions), "ckpts/ckpt-8", Format.KERAS, actor="bob", now=NOW)
    assert read_pins(RunFolder.alone(decisions)).pins == ()
    (decisions / ".waypoint/pins.json").write_text("?")
    assert read_pins(RunFolder.alone(run, decisions)).why("anything", None) is not None


def test_a_read_only_run_is_pinned_in_the_other_home(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "takes_decisions", lambda folder: not folder.is_relative_to(run))
    with pytest.raises(ReadOnlyError, match="WAYPOINT_DECISIONS_DIR"):
        pin_first(run)
    decisions = tmp_path / "decisions"
    pin_first(run, decisions)
    assert list(run.iterdir()) == []
    assert read_pins(RunFolder.alone(run, decisions)).pins == (FIRST,)


def test_two_at_once_lose_no_pin(run: Path) -> None:
    place = RunFolder.alone(run)
    threads = [
        threading.Thread(target=pin, args=(place, f"ckpt-{number}", Format.KERAS), kwargs={"actor": "ada", "now": NOW})
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [item.path for item in read_pins(place).pins] == [f"ckpt-{number}" for number in range(8)]


def test_while_another_decides_nothing_is_pinned(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "locked", functools.partial(places.locked, wait=0.0))
    with places.locked(run), pytest.raises(BusyError, match="is deciding about this run"):
        pin_first(run)
    assert read_pins(RunFolder.alone(run)).pins == ()


def test_what_a_killed_writer_left_is_removed(run: Path) -> None:
    pin_first(run)
    target = run / ".waypoint/pins.json"
    (target.parent / f".{short_id(target.name)}-0123456789abcdef.waypoint-tmp").write_bytes(b"half")
    pin(RunFolder.alone(run), "ckpts/ckpt-8", Format.KERAS, actor="bob", now=NOW)
    assert [name for name in os.listdir(target.parent) if name.endswith("tmp")] == []
    assert len(read_pins(RunFolder.alone(run)).pins) == 2
