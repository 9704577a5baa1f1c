"""Rules: facts in, findings out, as tables."""

import os
from dataclasses import replace

import pytest

from core.base.facts import Facts, Format, ReadProblem, Shard
from core.base.files import FileStat
from core.base.records import Finding, Health, Leftover, Severity, StateFile
from core.health import files, runs, state
from core.health.rules import RULES
from core.health.unjudged import UNJUDGED
from core.runs.series import arrange
from core.runs.state_files import Answer, tensorflow_answer
from tests.support.findings import finding
from tests.support.trees import a_member

ODD = os.fsdecode(b"caf\xe9")


def shards(*lengths: tuple[int | None, int | None]) -> tuple[Shard, ...]:
    """Shards of (expected, actual) lengths."""
    return tuple(Shard(number, f"s{number}", expected, actual) for number, (expected, actual) in enumerate(lengths))


def problem(kind: str, file: str = "c.index") -> Facts:
    return Facts(problem=ReadProblem(kind=kind, file=file, detail="what is wrong"))


def told(found: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(item.rule, item.reason) for item in found]


@pytest.mark.parametrize(
    ("facts", "form", "expected"),
    [
        pytest.param(Facts(), Format.TF_BUNDLE, [], id="nothing-known"),
        pytest.param(Facts(shards=shards((5, 5), (0, 0))), Format.TF_BUNDLE, [], id="whole"),
        pytest.param(Facts(shards=shards((5, 5), (0, None))), Format.TF_BUNDLE, [], id="an-empty-shard-may-lack"),
        pytest.param(Facts(shards=shards((None, 5))), Format.TF_BUNDLE, [], id="length-unknown"),
        pytest.param(
            Facts(shards=shards((5, None))),
            Format.TF_BUNDLE,
            [("orphan-index", "Its data shard is missing: s0.")],
            id="the-only-shard",
        ),
        pytest.param(
            Facts(shards=shards((5, None), (6, None))),
            Format.TF_BUNDLE,
            [("orphan-index", "None of its 2 data shards is there: s0, s1.")],
            id="no-shard",
        ),
        pytest.param(
            Facts(shards=shards((5, 5), (6, None), (7, 3))),
            Format.TF_BUNDLE,
            [("missing-shard", "1 of 3 shards is missing: s1.")],
            id="one-of-three",
        ),
        pytest.param(
            Facts(shards=shards((1, 1), *[(6, None)] * 5)),
            Format.TF_BUNDLE,
            [("missing-shard", "5 of 6 shards are missing: s1, s2, s3 and 2 more.")],
            id="five-of-six",
        ),
        pytest.param(
            Facts(shards=shards((5, 0))),
            Format.TF_BUNDLE,
            [("empty-file", "s0 has no bytes, the index says 0 bytes instead of 5.")],
            id="empty-shard",
        ),
        pytest.param(
            Facts(shards=shards((5000, 3000))),
            Format.TF_BUNDLE,
            [("truncated-shard", "s0: 3,000 bytes instead of 5,000.")],
            id="shorter",
        ),
        pytest.param(
            Facts(shards=shards((5, 7))),
            Format.TF_BUNDLE,
            [],
            id="longer",
        ),
        pytest.param(
            Facts(shards=shards((5, 7), (5, 3))),
            Format.TF_BUNDLE,
            [("truncated-shard", "s1: 3 bytes instead of 5.")],
            id="shorter-before-longer",
        ),
        pytest.param(
            Facts(shards=shards((5, 5)), mismatch="optimizer/iter"),
            Format.TF_BUNDLE,
            [("stale-index", "The checksum of optimizer/iter does not hold.")],
            id="checksum",
        ),
        pytest.param(
            Facts(committed=False),
            Format.ORBAX,
            [("interrupted-save", "It has no mark of completion.")],
            id="not-committed",
        ),
        pytest.param(problem("empty"), Format.KERAS, [("empty-file", "c.index: what is wrong.")], id="empty"),
        pytest.param(problem("lfs-pointer"), Format.HDF5, [("lfs-pointer", "c.index: what is wrong.")], id="lfs"),
        pytest.param(
            problem("truncated"),
            Format.TF_BUNDLE,
            [("unreadable-index", "truncated: c.index: what is wrong.")],
            id="truncated-index",
        ),
        pytest.param(
            problem("corrupt"),
            Format.KERAS,
            [("unreadable-file", "corrupt: c.index: what is wrong.")],
            id="corrupt-file",
        ),
        pytest.param(
            problem("crashed", ODD),
            Format.WEIGHTS_H5,
            [("unreadable-file", "crashed: caf\\xe9: what is wrong.")],
            id="name-that-is-no-utf-8",
        ),
    ],
)
def test_files(facts: Facts, form: Format, expected: list[tuple[str, str]]) -> None:
    found = files.judge("exp/c", form, facts)
    assert told(found) == expected
    assert all(item.path == "exp/c" and item.rule in RULES for item in found)
    assert all((item.severity, item.action) == (RULES[item.rule].severity, RULES[item.rule].action) for item in found)


def test_names_of_shards_are_text() -> None:
    (found,) = files.judge("c", Format.TF_BUNDLE, Facts(shards=(Shard(0, ODD, 1, 1), Shard(1, ODD, 5, None))))
    assert found.reason == "1 of 2 shards is missing: caf\\xe9."


def test_a_missing_shard_of_unknown_length_is_missing() -> None:
    shards = (Shard(0, "a_00000.weights.h5", None, 9), Shard(1, "a_00001.weights.h5", None, None))
    (found,) = files.judge("a.weights.json", Format.WEIGHTS_H5_SHARDED, Facts(shards=shards))
    assert (found.rule, found.reason) == ("missing-shard", "1 of 2 shards is missing: a_00001.weights.h5.")
    (found,) = files.judge("a.weights.json", Format.WEIGHTS_H5_SHARDED, Facts(shards=shards[1:]))
    assert (found.rule, found.reason) == ("orphan-index", "Its data shard is missing: a_00001.weights.h5.")
    assert files.judge("a.weights.json", Format.WEIGHTS_H5_SHARDED, Facts(shards=shards[:1])) == ()


EXISTING = frozenset({"run/ckpts/c-1", "run/ckpts/c-2", "run/..data/c-1", "run/ck[pt/c-1", "c-1"})


MOVED = "The run was moved: its state file"
COPIED = "The run was copied: its state file"
OUTSIDE = "outside of the root, where nothing is looked at."


def a_state(latest: str | None, *history: str, folder: str = "run/ckpts", **fields: str) -> StateFile:
    path = f"{folder}/checkpoint".lstrip("/")
    return StateFile(
        path=path, latest=latest, history=history, error=fields.get("error"), unreadable=fields.get("unreadable")
    )


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param(a_state("c-2", "c-1", "c-2"), [], id="all-there"),
        pytest.param(a_state("/data/run/ckpts/c-2"), [], id="absolute-inside"),
        pytest.param(a_state("c-1", folder="run/..data"), [], id="dots-in-a-folders-name"),
        pytest.param(
            a_state("c-9", "c-9"),
            [("dangling-latest", "The state file's latest, c-9, has no index.")],
            id="latest-gone",
        ),
        pytest.param(
            a_state("c-2", "c-0", "c-1", "c-2"),
            [("dangling-history", "The state file lists what is not there: c-0.")],
            id="history-gone",
        ),
        pytest.param(
            a_state("c-2", *(f"x-{number}" for number in range(5))),
            [("dangling-history", "The state file lists what is not there: x-0, x-1, x-2 and 2 more.")],
            id="five-of-the-history-gone",
        ),
        pytest.param(
            a_state("c-9", "c-8", "c-9"),
            [
                ("dangling-latest", "The state file's latest, c-9, has no index."),
                ("dangling-history", "The state file lists what is not there: c-8."),
            ],
            id="both-gone",
        ),
        pytest.param(
            a_state("/old/place/c-2", "/old/place/c-1", "/old/place/c-2"),
            [
                (
                    "moved-run",
                    f"{MOVED} names 2 checkpoints in /old/place; the same names lie here.",
                )
            ],
            id="moved",
        ),
        pytest.param(
            a_state("/data/run/..data/c-1", "/data/run/..data/c-1"),
            [
                (
                    "moved-run",
                    f"{COPIED} names 1 checkpoint in /data/run/..data; the same names lie here.",
                )
            ],
            id="copied",
        ),
        pytest.param(
            a_state("/old/c-9", "/old/c-1"),
            [
                ("moved-run", f"{MOVED} names 1 checkpoint in /old; the same names lie here."),
                (
                    "dangling-latest",
                    "The state file's latest, /old/c-9, lies " + OUTSIDE,
                ),
            ],
            id="moved-and-latest-gone",
        ),
        pytest.param(
            a_state("../../../c-1"),
            [
                (
                    "dangling-latest",
                    "The state file's latest, ../../../c-1, lies " + OUTSIDE,
                )
            ],
            id="out-of-the-root",
        ),
        pytest.param(
            a_state(None, unreadable="not a CheckpointState"),
            [("unreadable-state", "not a CheckpointState.")],
            id="unreadable",
        ),
        pytest.param(a_state(None, error="ValueError: x"), [("unreadable-state", "ValueError: x.")], id="error"),
    ],
)
def test_states(item: StateFile, expected: list[tuple[str, str]]) -> None:
    found = tuple(state.judge_state(item, "/data", EXISTING))
    assert told(found) == expected
    assert all(each.path == item.path for each in found)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (a_state("c-2"), Answer(latest="run/ckpts/c-2")),
        (a_state("c-9"), Answer()),
        (a_state("../ckpts/./c-1"), Answer(latest="run/ckpts/c-1")),
        (a_state("/data/run/ckpts/c-1"), Answer(latest="run/ckpts/c-1")),
        (
            a_state("/database/c-1"),
            Answer(error="The state file names /database/c-1, outside of the root: not looked at"),
        ),
        (a_state("../../../x"), Answer(error="The state file names ../../../x, outside of the root: not looked at")),
        (a_state("c-?"), Answer(latest="run/ckpts/c-?")),
        (a_state("c-[12]"), Answer(latest="run/ckpts/c-[12]")),
        (a_state("c-[!12]"), Answer()),
        (a_state("*"), Answer(latest="run/ckpts/*")),
        (a_state("c\\-1"), Answer(latest="run/ckpts/c\\-1")),
        (a_state("c-1", folder="run/ck[pt"), Answer(latest="run/ck[pt/c-1")),
        (a_state("c-1", folder=""), Answer(latest="c-1")),
        (a_state(None, unreadable="x"), Answer()),
        (a_state(None, error="ValueError: x"), Answer(error="ValueError: x")),
    ],
    ids=[
        *(
            "relative",
            "gone",
            "dots",
            "absolute",
            "a-common-beginning",
            "outside",
            "question-mark",
            "set",
            "not-in-set",
        ),
        *("star", "backslash", "bracket-in-the-folder", "root", "unreadable", "error"),
    ],
)
def test_tensorflows_answer(item: StateFile, expected: Answer) -> None:
    assert tensorflow_answer(item, "/data", EXISTING) == expected


BROKEN = a_member("c-3", step=300, minute=3, restorable=False)
WRITING = a_member("c-4", step=400, minute=4, restorable=False, health=Health.WRITING)
WHOLE = a_member("c-1", step=100, minute=1)
OTHER = a_member("d-1", minute=1)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param([], [], id="empty"),
        pytest.param([WHOLE], [], id="whole"),
        pytest.param([BROKEN], [("nothing-restorable", "Its only checkpoint cannot be restored.")], id="nothing"),
        pytest.param(
            [WHOLE, BROKEN],
            [("newest-not-restorable", "The newest that can be restored is run/ckpts/c-1: 200 steps would be lost.")],
            id="newest-broken",
        ),
        pytest.param(
            [OTHER, a_member("d-2", minute=2, restorable=False), a_member("d-3", minute=3, restorable=False)],
            [("newest-not-restorable", "The newest that can be restored is run/ckpts/d-1: 2 saves would be lost.")],
            id="without-steps",
        ),
        pytest.param(
            [OTHER, a_member("d-2", minute=2, restorable=False)],
            [("newest-not-restorable", "The newest that can be restored is run/ckpts/d-1: 1 save would be lost.")],
            id="one-save",
        ),
        pytest.param([BROKEN, a_member("c-9", step=900, minute=9)], [], id="older-broken"),
        pytest.param([OTHER, BROKEN], [], id="a-series-of-broken-ones-beside-a-whole-one"),
        pytest.param([WHOLE, WRITING], [], id="newest-being-written"),
        pytest.param([WRITING], [], id="all-being-written"),
        pytest.param([BROKEN, WRITING], [], id="nothing-whole-yet"),
        pytest.param(
            [WHOLE, BROKEN, WRITING],
            [("newest-not-restorable", "The newest that can be restored is run/ckpts/c-1: 200 steps would be lost.")],
            id="broken-before-the-one-being-written",
        ),
        pytest.param(
            [WHOLE, BROKEN, OTHER, a_member("d-2", minute=9, restorable=False, health=Health.WRITING)],
            [("newest-not-restorable", "The newest that can be restored is run/ckpts/c-1: 200 steps would be lost.")],
            id="another-series-being-written",
        ),
    ],
)
def test_runs(members: list[object], expected: list[tuple[str, str]]) -> None:
    found = tuple(runs.judge_run("run", arrange(members)))  # type: ignore[arg-type]
    assert told(found) == expected


def test_the_finding_lies_at_the_newest_and_its_reason_is_text() -> None:
    whole, bad = (a_member(f"c-{n}", step=n, restorable=n == 1, folder=ODD) for n in (1, 2))
    (found,) = runs.judge_run(ODD, arrange([whole, bad]))
    assert found.path == f"{ODD}/c-2"
    assert found.reason == "The newest that can be restored is caf\\xe9/c-1: 1 step would be lost."


def test_every_rule_says_what_it_means_why_and_what_to_do() -> None:
    assert RULES
    for name, rule in RULES.items():
        assert rule.id == name
        assert all(text.endswith(".") for text in (rule.meaning, rule.why, rule.action))


def test_a_finding_of_no_rule_is_an_error_of_the_program() -> None:
    with pytest.raises(KeyError):
        finding("made-up", "p", "r")


def test_severities_are_ordered() -> None:
    assert [severity.rank for severity in (Severity.INFO, Severity.WARNING, Severity.ERROR)] == [0, 1, 2]


@pytest.mark.parametrize("latest", ["ckpt-[9-0]", "ckpt-[z-a]*"])
def test_a_range_that_is_none_matches_nothing(latest: str) -> None:
    """As TensorFlow answers: it takes the path for a pattern, and this one fits no file."""
    assert tensorflow_answer(a_state(latest), "/data", {"run/ckpts/ckpt-9"}) == Answer()


def test_a_run_of_nothing_but_data_without_an_index_is_one_that_cannot_be_restored() -> None:
    shard = FileStat("ckpt-7.data-00000-of-00001", 9, 1)
    left = Leftover(path="run/ckpt-7", rule="orphan-shard", files=(shard,), reason="Shards.")
    temp = replace(left, path="run/ckpt-8_temp", rule="interrupted-save")
    state = Leftover(
        path="run/checkpoint.tmp1f", rule="interrupted-save", files=(FileStat("checkpoint.tmp1f", 9, 1),), reason="x"
    )
    (found,) = runs.judge_run("run", [], [state, left, temp])
    reason = "It has no checkpoint, only data without an index: run/ckpt-7 and 1 more save."
    assert (found.rule, found.severity, found.path, found.reason) == (
        "nothing-restorable",
        Severity.ERROR,
        "run",
        reason,
    )
    assert list(runs.judge_run("run", [], [state])) == []
    assert list(runs.judge_run("run", [], [left, replace(temp, writing=True)])) == []
    assert list(runs.judge_run("run", [[WHOLE]], [left])) == []


def test_every_rule_that_is_no_damage_counts_as_such() -> None:
    assert {rule.id for rule in RULES.values() if not rule.is_damage} == UNJUDGED
