"""What people say of a run: kept beside it, logged, taken back; a file that cannot be understood is left alone."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.direction import Direction
from core.base.errors import CoreError
from core.runfolder import run_folder
from core.runfolder.decisions import read_decisions, stamp
from core.runfolder.run_folder import RunFolder
from core.runfolder.tags import MOST_NOTE, MOST_TAGS, ChosenMetric, RunTags, TagChange, change_tags, read_tags, undoing

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
BEST = ChosenMetric(name="val/F1", mode=Direction.MAX)
WHOLE = TagChange(add=("baseline", "für-Kai"), note="Seed 3.\nTwo GPUs.", owner="ada", favourite=True, best_metric=BEST)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def change(run: Path, what: TagChange, *, actor: str = "ada", now: datetime = NOW) -> tuple[RunTags, RunTags]:
    return change_tags(RunFolder.alone(run), what, actor=actor, now=now)


def test_what_is_said_is_read_back_logged_and_taken_back(run: Path) -> None:
    before, after = change(run, WHOLE)
    assert before == RunTags()
    assert after == RunTags(
        tags=("baseline", "für-Kai"),
        note="Seed 3.\nTwo GPUs.",
        owner="ada",
        favourite=True,
        best_metric=BEST,
        by="ada",
        at="2026-01-31T09:30:00Z",
    )
    assert read_tags(RunFolder.alone(run)) == after
    assert read_decisions(RunFolder.alone(run)).tags == after
    change(run, TagChange(add=("later",)), actor="eve", now=LATER)
    _, last = change(run, undoing(before, after), actor="eve", now=LATER)
    assert last == RunTags(tags=("later",), by="eve", at="2026-01-31T10:30:00Z")
    lines = [json.loads(line) for line in (run / ".waypoint/log.jsonl").read_text().splitlines()]
    assert [(line["event"], line["actor"]) for line in lines] == [("tag", "ada"), ("tag", "eve"), ("tag", "eve")]
    assert lines[0]["note"] == {"from": "", "to": "Seed 3.\nTwo GPUs."}
    assert lines[2]["best_metric"] == {"from": {"name": "val/F1", "mode": "max"}, "to": None}
    assert sorted(path.name for path in (run / ".waypoint").iterdir()) == ["decisions.lock", "log.jsonl", "tags.json"]


def test_a_tag_is_there_once_however_it_is_written_and_what_changes_nothing_is_not_written(run: Path) -> None:
    change(run, TagChange(add=("Café",)))
    before, after = change(run, TagChange(add=("CAFE",), remove=("other",)), now=LATER)
    assert before is after
    assert after.tags == ("Café",)
    assert after.at == "2026-01-31T09:30:00Z"
    assert change(run, TagChange(remove=("cafe",)))[1].tags == ()


def test_the_pass_notices_a_change(run: Path) -> None:
    marks = [stamp(RunFolder.alone(run))]
    for note in ("one", "two"):
        change(run, TagChange(note=note))
        marks.append(stamp(RunFolder.alone(run)))
    assert len(set(marks)) == 3


def test_where_the_run_cannot_be_written_it_lies_apart_and_the_later_word_counts(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = RunFolder.alone(run, tmp_path / "apart")
    change_tags(place, TagChange(note="first", owner="ada"), actor="ada", now=NOW)
    monkeypatch.setattr(run_folder, "takes_decisions", lambda _: False)
    change_tags(place, TagChange(note="second"), actor="eve", now=LATER)
    said = read_tags(place)
    assert (said.note, said.owner, said.by) == ("second", "ada", "eve")
    assert json.loads((run / ".waypoint/tags.json").read_text())["note"] == "first"


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (TagChange(add=("two words",)), r"in 'tags\[2\]': \"two words\" is not allowed; allowed: 1 to 100 printable"),
        (TagChange(add=("+",)), "the first no"),
        (TagChange(add=("",)), "1 to 100"),
        (TagChange(add=("\u0301",)), "1 to 100"),
        (TagChange(add=("a" * 101,)), "1 to 100"),
        (TagChange(add=tuple(f"t{n}" for n in range(MOST_TAGS + 1))), "103 tags; allowed: at most 100"),
        (TagChange(note="x" * (MOST_NOTE + 1)), "text of at most 20,000 characters"),
        (TagChange(note="nul \0"), "in 'note'"),
        (TagChange(owner="two\nlines"), "in 'owner'"),
        (TagChange(owner="half \udcff"), "in 'owner'"),
        (TagChange(best_metric=ChosenMetric(name="", mode=Direction.MIN)), "in 'best_metric.name'"),
    ],
)
def test_what_is_no_tag_note_or_owner_changes_nothing(what: TagChange, why: str, run: Path) -> None:
    change(run, WHOLE)
    before = (run / ".waypoint/tags.json").read_bytes()
    with pytest.raises(CoreError, match=f"Nothing was changed: .*{why}"):
        change(run, what)
    assert (run / ".waypoint/tags.json").read_bytes() == before


def document(**changes: object) -> bytes:
    whole = {"version": 1, "tags": ["a"], "note": "", "owner": "", "favourite": False, "best_metric": None}
    return json.dumps({**whole, "by": "ada", "at": "2026-01-31T09:30:00Z", **changes}).encode()


def test_what_somebody_wrote_by_hand_counts(run: Path) -> None:
    (run / ".waypoint").mkdir()
    (run / ".waypoint/tags.json").write_bytes(document(tags=["a", "b", "A"]))
    assert read_tags(RunFolder.alone(run)).tags == ("a", "b")


HOSTILE = {
    "empty": b"",
    "list": b"[]",
    "version": document(version=2),
    "true for one": document(version=True),
    "no list": document(tags="a"),
    "number": document(tags=[1]),
    "blank": document(tags=["a b"]),
    "word for truth": document(favourite="yes"),
    "mode": document(best_metric={"name": "loss", "mode": "less"}),
    "more": document(more=1),
    "time": document(at="yesterday"),
    "half": document(note="x")[:-9] + b'\\ud800"}',
    "deep": b"[" * 100_000,
    "long": b" " * (1 << 20) + document(),
    "not text": b"\xff\xfe",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_file_that_cannot_be_understood_is_a_problem_and_stays(content: bytes, run: Path) -> None:
    (run / ".waypoint").mkdir()
    place = run / ".waypoint/tags.json"
    place.write_bytes(content)
    for act in (lambda: read_tags(RunFolder.alone(run)), lambda: change(run, WHOLE)):
        with pytest.raises(CoreError, match=f"{place} cannot be understood: .*Mend it, or move it away"):
            act()
    assert place.read_bytes() == content
    found = read_decisions(RunFolder.alone(run))
    assert (found.tags, found.pinned) == (RunTags(), frozenset())  # what is said of a run pins nothing
    assert found.problem is not None


def test_a_link_and_a_pipe_are_not_read(run: Path) -> None:
    (run / ".waypoint").mkdir()
    (run / "elsewhere").write_bytes(document())
    (run / ".waypoint/tags.json").symlink_to(run / "elsewhere")
    with pytest.raises(CoreError, match=r"tags\.json cannot be understood"):
        read_tags(RunFolder.alone(run))
    (run / ".waypoint/tags.json").unlink()
    os.mkfifo(run / ".waypoint/tags.json")
    with pytest.raises(CoreError, match=r"tags\.json cannot be understood"):
        read_tags(RunFolder.alone(run))


names = st.text("abcÄ", min_size=1, max_size=3)
changes = st.builds(
    TagChange,
    add=st.lists(names, max_size=3).map(tuple),
    remove=st.lists(names, max_size=3).map(tuple),
    note=st.none() | st.text("xy", max_size=2),
    owner=st.none() | st.text("xy", max_size=2),
    favourite=st.none() | st.booleans(),
    best_metric=st.none() | st.builds(ChosenMetric, name=names, mode=st.sampled_from(Direction)),
    guess_best=st.booleans(),
)


@given(changes, changes)
def test_undoing_gives_back_what_was_said(first: TagChange, second: TagChange) -> None:
    before = first.applied(RunTags())
    after = second.applied(before)
    back = undoing(before, after).applied(after)
    assert (set(back.tags), back.note, back.owner) == (set(before.tags), before.note, before.owner)
    assert (back.favourite, back.best_metric) == (before.favourite, before.best_metric)
