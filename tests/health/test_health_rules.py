"""Rules about what lies in a run together: what is listed, what is old, what was lost; as tables."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from core.base.facts import Contents, Format
from core.base.records import Checkpoint, Finding, StateFile
from core.health import aging
from core.health.listing import judge_listing
from core.health.runs import judge_run
from core.health.verified import BadTensor, Verified, judge_verified
from core.runs.series import arrange
from tests.support.trees import START, a_member, run_facts

DAY = timedelta(days=1)
ROOT = "/data"


def told(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(item.path, item.rule, item.reason) for item in found]


def listing(members: list[Checkpoint], *states: StateFile) -> list[tuple[str, str, str]]:
    return told(list(judge_listing(arrange(members), states, ROOT)))


def a_state(latest: str | None, *history: str, folder: str = "run/ckpts") -> StateFile:
    return StateFile(path=f"{folder}/checkpoint", latest=latest, history=history)


THREE = [a_member(f"ckpt-{step}", step=step) for step in (1, 2, 3)]


@pytest.mark.parametrize(
    ("members", "states", "expected"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param(THREE, [a_state("ckpt-3", "ckpt-1", "ckpt-2", "ckpt-3")], [], id="all-listed"),
        pytest.param(
            THREE,
            [a_state("ckpt-3", "ckpt-2", "ckpt-3")],
            [("run/ckpts/ckpt-1", "untracked", "It is not among the 2 that run/ckpts/checkpoint lists.")],
            id="one-not-listed",
        ),
        pytest.param(
            THREE[:2],
            [a_state("ckpt-2")],
            [("run/ckpts/ckpt-1", "untracked", "run/ckpts/checkpoint lists only one, and not this.")],
            id="only-the-latest-listed",
        ),
        pytest.param(THREE[:1], [a_state("/elsewhere/ckpt-1")], [], id="moved-names-count-as-listed"),
        pytest.param(THREE[:1], [a_state("/data/run/ckpts/ckpt-1")], [], id="absolute-inside"),
        pytest.param(THREE[:1], [a_state(None)], [], id="a-state-file-without-a-latest-says-nothing"),
        pytest.param(
            THREE,
            [a_state("ckpt-2", "ckpt-1", "ckpt-2", "ckpt-3")],
            [("run/ckpts/checkpoint", "latest-not-newest", "It names ckpt-2 (step 2); ckpt-3 (step 3) is newer.")],
            id="latest-is-older",
        ),
        pytest.param(
            [THREE[0], THREE[1]._replace(restorable=False)],
            [a_state("ckpt-1", "ckpt-1", "ckpt-2")],
            [],
            id="the-newer-one-is-damaged",
        ),
        pytest.param(
            THREE,
            [],
            [("run/ckpts", "no-state", "3 checkpoints are complete, and there is no file `checkpoint` here.")],
            id="no-state-file",
        ),
        pytest.param(
            [a_member("ckpt-1", step=1, folder="")._replace(run=".", path="ckpt-1")],
            [],
            [(".", "no-state", "ckpt-1 is complete, and there is no file `checkpoint` here.")],
            id="no-state-file-in-the-root",
        ),
        pytest.param([a_member("m.keras", form=Format.KERAS)], [], [], id="keras-needs-no-state-file"),
        pytest.param([a_member("ckpt-1", restorable=False)], [], [], id="damaged-ones-need-none"),
    ],
)
def test_listing(members: list[Checkpoint], states: list[StateFile], expected: list[tuple[str, str, str]]) -> None:
    assert listing(members, *states) == expected


def with_optimizer(item: Checkpoint, *, has: bool, contents: Contents = Contents.WEIGHTS_ONLY) -> Checkpoint:
    facts = item.facts._replace(has_optimizer=has, contents=contents, fingerprint="with" if has else "without")
    return item._replace(facts=facts)


@pytest.mark.parametrize(
    ("has", "restorable", "expected"),
    [
        pytest.param((True, True, False), (True, True, True), ["run/ckpts/c-3"], id="lost-at-last"),
        pytest.param((True, False, True), (True, True, True), [], id="back-again"),
        pytest.param((False, False, False), (True, True, True), [], id="never-had"),
        pytest.param((True, True, False), (True, True, False), [], id="the-one-without-is-damaged"),
        pytest.param((True, False, False), (False, True, True), [], id="the-one-with-is-damaged"),
    ],
)
def test_optimizer_lost(has: tuple[bool, ...], restorable: tuple[bool, ...], expected: list[str]) -> None:
    members = [
        with_optimizer(a_member(f"c-{step}", step=step), has=one)._replace(restorable=whole)
        for step, (one, whole) in enumerate(zip(has, restorable, strict=True), 1)
    ]
    found = [item for item in judge_run("run", arrange(members)) if item.rule == "optimizer-lost"]
    assert [item.path for item in found] == expected
    for item in found:
        assert item.reason == "It holds no optimizer state; run/ckpts/c-2 was the last that did."


def test_unknown_contents_lose_no_optimizer() -> None:
    first = with_optimizer(a_member("c-1", step=1), has=True)
    last = with_optimizer(a_member("c-2", step=2), has=False, contents=Contents.UNKNOWN)
    assert list(judge_run("run", arrange([first, last]))) == []


@pytest.mark.parametrize(("days", "number"), [(0, 0), (13.9, 0), (14, 1), (400, 1)])
def test_stale_run(days: float, number: int) -> None:
    found = list(aging.findings(run_facts([], now=START + days * DAY, changed=START)))
    assert told(found) == [("run", "stale-run", "No file in it has changed since 2026-01-31.")] * number


def aged(now: datetime, members: list[Checkpoint]) -> list[str]:
    return [item.path.rpartition("/")[2] for item in aging.findings(run_facts(members, now=now))]


def test_only_old_and_superseded_checkpoints_are_stale() -> None:
    later = START + 20 * DAY
    metrics = [0.9, 0.5, 0.7, 0.6, 0.8]
    members = [
        a_member(f"c-{step}", step=step)._replace(metric=("loss", metric)) for step, metric in enumerate(metrics, 1)
    ]
    assert aged(later, members) == ["c-3", "c-4"]  # c-1 and c-2 are the highest and the lowest, c-5 the latest
    assert aged(START, members) == []
    assert aged(later, [item._replace(metric=None) for item in members]) == ["c-1", "c-2", "c-3", "c-4"]
    broken = [*(item._replace(metric=None) for item in members[:4]), members[4]._replace(restorable=False)]
    assert aged(later, broken) == ["c-1", "c-2", "c-3"]
    assert aged(later, members[:1]) == []


def test_the_far_future_is_not_stale() -> None:
    end = datetime.max.replace(tzinfo=START.tzinfo)
    member = a_member("c-1", step=1)._replace(saved_at=end)
    facts = replace(run_facts([], now=START), series=((member,),), stale_after=timedelta(seconds=1e9))
    assert list(aging.findings(facts)) == []


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(Verified("x"), [], id="verified"),
        pytest.param(
            Verified("x", (BadTensor("checksum-mismatch", "w"),)),
            [("p", "checksum-mismatch", "The checksum of w does not hold.")],
            id="one",
        ),
        pytest.param(
            Verified("x", tuple(BadTensor("checksum-mismatch", name) for name in "abcde"), 7),
            [("p", "checksum-mismatch", "The checksums of a, b, c and 9 more do not hold.")],
            id="many",
        ),
        pytest.param(
            Verified("x", (BadTensor("non-finite", "w", 1), BadTensor("non-finite", "v", 1200))),
            [("p", "non-finite", "NaN or infinite: w (1 value), v (1,200 values).")],
            id="numbers",
        ),
        pytest.param(
            Verified("x", (BadTensor("non-finite", "w", 1), BadTensor("checksum-mismatch", "v"))),
            [
                ("p", "checksum-mismatch", "The checksum of v does not hold."),
                ("p", "non-finite", "NaN or infinite: w (1 value)."),
            ],
            id="both",
        ),
    ],
)
def test_verified(result: Verified, expected: list[tuple[str, str, str]]) -> None:
    found = list(judge_verified("p", result))
    assert told(found) == expected
    assert told([replace(item, accepted="n") for item in found]) == expected
