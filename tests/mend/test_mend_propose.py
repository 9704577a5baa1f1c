"""What a mended state file says: never a checkpoint that the old one did not list."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import timedelta

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.errors import AmbiguousError, CoreError, NotFoundError, NotRestorableError
from core.base.facts import Facts, Format, Sourced
from core.base.records import Checkpoint
from core.formats.wire.checkpoint_state_pb2 import CheckpointState
from core.health.state import judge_state
from core.mend.effects import deleted_by_next_save, effects
from core.mend.on_disk import parse, read_content
from core.mend.propose import MendProposal, propose
from core.runs.state_files import target
from tests.support.trees import START, a_member

ROOT = "/data"
FOLDER = "run/ckpts"
PATH = f"{FOLDER}/checkpoint"
NOW = START + timedelta(days=1)
MEMBERS = tuple(a_member(f"ckpt-{number}", step=number) for number in range(1, 7))
EXISTING = frozenset(item.path for item in MEMBERS)
FORMS = ("{}", "./{}", f"{ROOT}/{FOLDER}/{{}}", "/old/place/{}", "../ckpts/{}", "gone/{}")


def text(latest: str, listed: Sequence[str] = (), times: Sequence[float] = (), preserved: float = 0.0) -> bytes:
    state = CheckpointState(
        model_checkpoint_path=latest,
        all_model_checkpoint_paths=listed,
        all_model_checkpoint_timestamps=times,
        last_preserved_timestamp=preserved,
    )
    return text_format.MessageToString(state).encode()


def proposed(
    data: bytes | None, existing: frozenset[str] = EXISTING, picked: Checkpoint | None = None
) -> MendProposal | None:
    return propose(PATH, data, ROOT, MEMBERS, existing, picked)


def sure(data: bytes | None, existing: frozenset[str] = EXISTING, picked: Checkpoint | None = None) -> MendProposal:
    found = proposed(data, existing, picked)
    assert found is not None
    return found


def told(proposal: MendProposal, max_to_keep: int = 2) -> str:
    return "\n".join(effects(proposal, max_to_keep=max_to_keep, now=NOW))


def patched(old: list[str], diff: Sequence[str]) -> list[str]:
    """The lines after a unified diff."""
    result, at = [], 0
    for line in diff[2:]:
        if match := re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@", line):
            start = int(match[1]) - (match[2] != "0")
            result += old[at:start]
            at = start
        elif line[0] == "+":
            result.append(line[1:])
        else:
            assert old[at] == line[1:]
            result += [line[1:]] if line[0] == " " else []
            at += 1
    return result + old[at:]


written = st.builds(lambda form, number: form.format(f"ckpt-{number}"), st.sampled_from(FORMS), st.integers(1, 6))
numbers = st.floats(min_value=0, max_value=2e9)


@settings(deadline=None, max_examples=400)
@given(
    latest=written | st.just(""),
    listed=st.lists(written, max_size=7),
    times=st.lists(numbers, max_size=8),
    preserved=st.just(0.0) | numbers,
    there=st.sets(st.sampled_from(sorted(EXISTING))),
    pick=st.none() | st.integers(0, 5),
)
def test_whatever_the_old_file_said(
    latest: str, listed: list[str], times: list[float], preserved: float, there: set[str], pick: int | None
) -> None:
    existing = frozenset(there)
    data = text(latest, listed, times, preserved)
    old = read_content(PATH, data, ROOT, existing)
    was_listed = {entry.prefix: entry.time for entry in old.listed if entry.prefix}
    try:
        proposal = proposed(data, existing, None if pick is None else MEMBERS[pick])
    except (NotRestorableError, NotFoundError):
        assert pick is not None or not there
        return
    if proposal is None:
        assert pick is None or (old.latest is not None and old.latest.prefix == MEMBERS[pick].path)
        return
    new = read_content(PATH, proposal.new, ROOT, existing)
    assert new.latest is not None
    assert new.latest.prefix == proposal.latest == proposal.after.latest
    assert proposal.latest in existing
    now_listed = [entry.prefix for entry in new.listed]
    assert len(now_listed) == len(set(now_listed))
    if old.names_nothing:
        assert now_listed == [proposal.latest]
    else:
        assert set(now_listed) == set(was_listed)
    pairs = {(entry.prefix, entry.time) for entry in old.listed}
    assert all((entry.prefix, entry.time) in pairs for entry in new.listed if entry.time is not None)
    assert new.preserved == preserved
    assert not any(entry.written.startswith("/") for entry in (new.latest, *new.listed))
    assert proposed(proposal.new, existing) is None
    assert patched(_shown(data), proposal.diff()) == _shown(proposal.new)
    for keep in (1, 2, 9):
        assert set(deleted_by_next_save(proposal, keep, NOW)) <= set(was_listed)


def _shown(data: bytes) -> list[str]:
    return data.decode().splitlines()


@settings(deadline=None)
@given(
    latest=written, listed=st.lists(written, max_size=7), there=st.sets(st.sampled_from(sorted(EXISTING)), min_size=1)
)
def test_the_rules_are_those_of_the_findings(latest: str, listed: list[str], there: set[str]) -> None:
    data = text(latest, listed)
    found = {item.rule for item in judge_state(parse(PATH, data), ROOT, there)}
    proposal = proposed(data, frozenset(there))
    assert found == (set() if proposal is None else set(proposal.rules))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_mended_or_left_alone(data: bytes) -> None:
    proposal = proposed(data)
    if proposal is not None:
        assert proposal.latest in EXISTING
        assert proposed(proposal.new) is None
        assert not any(unicodedata.category(letter) in {"Cc", "Cf"} for line in proposal.diff() for letter in line)


def test_the_latest_comes_last_and_times_stay_with_their_paths() -> None:
    listed = [f"/old/ckpt-{number}" for number in range(1, 5)]
    picked = sure(text(listed[3], listed, (1.0, 2.0, 3.0, 4.0), 0.5), picked=MEMBERS[1])
    assert picked.new == text("ckpt-2", ["ckpt-1", "ckpt-3", "ckpt-4", "ckpt-2"], (1.0, 3.0, 4.0, 2.0), 0.5)
    assert (picked.rules, picked.why) == (("moved-run",), "moved-run, point the latest at ckpt-2")
    assert deleted_by_next_save(picked, 2, NOW) == (f"{FOLDER}/ckpt-1", f"{FOLDER}/ckpt-3", f"{FOLDER}/ckpt-4")


def test_fewer_times_than_paths_stay_in_front() -> None:
    proposal = sure(text("ckpt-3", ["ckpt-1", "ckpt-2", "ckpt-9", "ckpt-3"], (1.0, 2.0)), picked=MEMBERS[0])
    assert proposal.new == text("ckpt-1", ["ckpt-2", "ckpt-1", "ckpt-3"], (2.0, 1.0))
    assert deleted_by_next_save(proposal, 1, NOW) == (f"{FOLDER}/ckpt-2", f"{FOLDER}/ckpt-1")


def test_one_checkpoint_by_two_names_is_listed_once() -> None:
    listed = ["ckpt-1", "./ckpt-1", "/old/ckpt-2", "ckpt-2"]
    proposal = sure(text("ckpt-9", listed, (1.0, 2.0, 3.0, 4.0)), EXISTING - {f"{FOLDER}/ckpt-9"})
    assert (proposal.latest, proposal.listed) == (f"{FOLDER}/ckpt-6", (f"{FOLDER}/ckpt-1", f"{FOLDER}/ckpt-2"))


@pytest.mark.parametrize(
    ("preserved", "times", "deleted"),
    [
        (0.0, (1.0, 2.0, 3.0), 2),
        (2.0, (1.0, 2.0, 3.0), 0),
        (0.0, (), 0),
        (4e9, (1.0, 2.0, 3.0), 0),
        (0.0, (4e9, 4e9, 4e9), 2),
        (0.0, (float("nan"), 2.0, 3.0), 1),
    ],
    ids=["all-managed", "preserved-since", "no-times", "preserved-in-the-future", "times-in-the-future", "no-number"],
)
def test_what_a_manager_no_longer_manages_it_does_not_delete(
    preserved: float, times: tuple[float, ...], deleted: int
) -> None:
    data = text("/old/ckpt-3", ["/old/ckpt-1", "/old/ckpt-2", "/old/ckpt-3"], times, preserved)
    assert len(deleted_by_next_save(sure(data), 2, NOW)) == deleted


def test_other_places_in_the_root_stay_as_they_are() -> None:
    data = text("ckpt-9", ["../other/ckpt-1", f"{ROOT}/run/other/x-2", "/away/other/x-3"])
    proposal = sure(data, EXISTING | {"run/other/ckpt-1", "run/other/x-2"})
    assert proposal.new == text("ckpt-6", ["../other/ckpt-1", "../other/x-2"])
    assert proposal.dropped == ("/away/other/x-3",)


def test_the_state_file_of_the_root_itself() -> None:
    member = a_member("ckpt-1", folder="")._replace(path="ckpt-1")
    proposal = propose("checkpoint", b"", ROOT, (member,), {"ckpt-1"})
    assert proposal is not None
    assert proposal.new == text("ckpt-1", ["ckpt-1"])


def test_only_the_series_that_it_was_about_follows() -> None:
    best = a_member("best-9", step=9)
    members = (*MEMBERS[:2], best)
    existing = {item.path for item in members}
    found = propose(PATH, text("ckpt-7"), ROOT, members, existing)
    assert found is not None
    assert found.latest == f"{FOLDER}/ckpt-2"
    with pytest.raises(AmbiguousError, match=rf"name the latest with --latest: {FOLDER}/best-9, {FOLDER}/ckpt-2\."):
        propose(PATH, b"{", ROOT, members, existing)
    with pytest.raises(NotRestorableError, match=r"nothing of the series model-N in run/ckpts can be restored"):
        propose(PATH, text("model-7"), ROOT, members, existing)


def test_what_cannot_be_restored_never_becomes_the_latest() -> None:
    broken = MEMBERS[5]._replace(restorable=False)
    members = (*MEMBERS[:5], broken)
    found = propose(PATH, text("ckpt-9"), ROOT, members, EXISTING)
    assert found is not None
    assert found.latest == f"{FOLDER}/ckpt-5"
    with pytest.raises(NotRestorableError, match="ckpt-6 cannot be restored"):
        propose(PATH, None, ROOT, members, EXISTING, broken)


@pytest.mark.parametrize(
    ("member", "error"),
    [
        (a_member("m.keras", form=Format.KERAS), r"is no TensorFlow checkpoint \(keras\)"),
        (a_member("ckpt-1", folder="run/other"), "does not lie in run/ckpts"),
        (a_member("ckpt-99"), "is not there any more"),
        (a_member("r\udce9sum\udce9"), "its name is not UTF-8"),
    ],
    ids=["format", "folder", "gone", "not-utf-8"],
)
def test_what_a_state_file_cannot_name_is_refused(member: Checkpoint, error: str) -> None:
    with pytest.raises(CoreError, match=error):
        proposed(None, EXISTING | {f"{FOLDER}/r\udce9sum\udce9"}, member)


def test_names_are_escaped_as_tensorflow_escapes_them() -> None:
    member = a_member('größe "1"\\-1')
    proposal = propose(PATH, None, ROOT, (member,), {member.path}, member)
    assert proposal is not None
    assert parse(PATH, proposal.new).latest == 'größe "1"\\-1'
    assert target(parse(PATH, proposal.new), 'größe "1"\\-1', ROOT) == member.path


@pytest.mark.parametrize(
    ("name", "counter", "next_save"),
    [("ckpt-6", 6, "ckpt-7"), ("ckpt-6", 5, None), ("ckpt-6", None, None), ("model6", 6, None), ("c-16", 6, None)],
    ids=["its-own-count", "another-number", "no-count", "no-dash", "only-the-last-digit"],
)
def test_the_next_saves_name_is_told_where_it_can_be(name: str, counter: int | None, next_save: str | None) -> None:
    facts = Facts(save_counter=None if counter is None else Sourced(value=counter, source="save_counter"))
    member = a_member(name)._replace(facts=facts)
    proposal = propose(PATH, None, ROOT, (member,), {member.path}, member)
    assert proposal is not None
    assert proposal.next_save == (None if next_save is None else f"{FOLDER}/{next_save}")


def test_the_effects_are_told() -> None:
    lines = told(sure(text("/old/ckpt-3", ["/old/ckpt-0", "/old/ckpt-2", "/old/ckpt-3"], (1.0, 2.0, 3.0))), 1)
    assert lines == (
        "tf.train.latest_checkpoint gives no answer (The state file names /old/ckpt-3, outside of the root: not looked "
        "at) now, and finds run/ckpts/ckpt-3 afterwards.\n"
        "These leave the list, for they are not here: /old/ckpt-0.\n"
        "The next save of a CheckpointManager with max_to_keep=1 deletes run/ckpts/ckpt-2, run/ckpts/ckpt-3."
    )
    assert "finds nothing now" in told(sure(None, picked=MEMBERS[0]))
    assert "Only run/ckpts/ckpt-1 is listed, without a time" in told(sure(None, picked=MEMBERS[0]))
    unlisted = sure(text("ckpt-3", ["ckpt-3"], (3.0,)), picked=MEMBERS[0])
    assert "named but not listed: TensorFlow never deletes it" in told(unlisted)


def test_what_is_no_text_is_not_shown() -> None:
    assert sure(b"\x00\xff").diff()[3] == "-(2 bytes that are no state file)"
    assert sure(b"x" * 70_000).diff()[3] == "-(70,000 bytes that are no state file)"
    assert sure(b"a\x1b[31m\nb").diff()[3:5] == ("-a\\x1b[31m", "-b")
    assert sure(b"x" * (1 << 20) + b"x").rules == ("unreadable-state",)


def test_a_copied_run_speaks_of_its_own_files_again() -> None:
    """The original is still there: the copy's next job would go on from it, and rotate its files away."""
    original = "run/original"
    existing = EXISTING | {f"{original}/ckpt-1", f"{original}/ckpt-2"}
    written = [f"{ROOT}/{original}/ckpt-1", f"{ROOT}/{original}/ckpt-2"]
    data = text(written[-1], written, [START.timestamp()] * 2)
    proposal = sure(data, existing)
    assert proposal.rules == ("moved-run",)
    assert (proposal.latest, proposal.listed) == (f"{FOLDER}/ckpt-2", (f"{FOLDER}/ckpt-1", f"{FOLDER}/ckpt-2"))
    assert deleted_by_next_save(proposal, 1, NOW) == (f"{FOLDER}/ckpt-1", f"{FOLDER}/ckpt-2")
