"""Continue, rewind, fork: which are possible, what each says it does, and what a rewind sets aside."""

from datetime import timedelta

import pytest

from core.base.facts import Format, Sourced
from core.base.files import FileStat
from core.base.records import Checkpoint, Finding, SavedAtSource, Severity
from core.resume.manifest import Mode
from core.resume.modes import fork_name, outlooks, set_aside
from core.resume.propose import propose
from tests.support.resume_cases import NOW, a_checkpoint, a_run

CONTINUE, REWIND, FORK = Mode
MIB = 1024 * 1024


def at(minutes: float, step: int | None, *, series: str = "main", name: str | None = None) -> Checkpoint:
    """A checkpoint that was saved so many minutes after the start."""
    saved_at = NOW + timedelta(minutes=minutes)
    base = a_checkpoint(step=None if step is None else Sourced(step, "optimizer/_iterations"))
    name = name or f"{series}-{step}"
    stat = FileStat(name=name, size=2 * MIB, mtime_ns=int(saved_at.timestamp() * 1e9))
    folder = f"exp/a/{series}"
    return base._replace(
        saved_at=saved_at, series=series, folder=folder, path=f"{folder}/{name}", files=(stat,), bytes=2 * MIB
    )


def backup(minutes: float) -> Checkpoint:
    """What BackupAndRestore left."""
    return at(minutes, 1, series="backup", name="latest.weights.h5")._replace(format=Format.WEIGHTS_H5)


def broken(item: Checkpoint) -> Checkpoint:
    """One whose shard is gone."""
    finding = Finding(path=item.path, rule="x", severity=Severity.ERROR, reason="a shard is gone.", action="none")
    return item._replace(restorable=False, findings=(finding,))


def copied(item: Checkpoint) -> Checkpoint:
    """One whose times a copy has lost."""
    stat = item.files[0]._replace(mtime_ns=10**18)
    return item._replace(files=(stat,), saved_at=NOW, saved_at_source=SavedAtSource.MTIME)


def gone(pick: Checkpoint, *others: Checkpoint) -> list[str]:
    """What a rewind sets aside, by name."""
    return sorted(aside.checkpoint.path.rpartition("/")[2] for aside in set_aside(pick, (pick, *others)))


def told(pick: Checkpoint, *others: Checkpoint, status: str = "idle", run: str = "exp/a") -> dict[Mode, str]:
    """The consequences of the modes that are possible."""
    looks = outlooks(pick, (pick, *others), a_run(status, run))
    assert [look.mode for look in looks] == [CONTINUE, REWIND, FORK]
    return {look.mode: look.consequence for look in looks if look.possible}


def mode_of(pick: Checkpoint, *others: Checkpoint, status: str = "idle", run: str = "exp/a") -> Mode:
    """The proposed mode."""
    return propose(pick, (pick, *others), a_run(status, run), NOW).mode


LATER = [at(minute, 100 * minute) for minute in range(6, 12)]


def test_the_latest_goes_on_or_is_forked() -> None:
    pick = at(5, 500)
    assert told(pick, at(4, 400)) == {
        CONTINUE: "Goes on from the latest; nothing is moved.",
        FORK: "The new run exp/a-from-500 gets a copy; exp/a stays as it is, byte for byte.",
    }
    assert mode_of(pick, at(4, 400)) is CONTINUE
    assert mode_of(pick, at(4, 400), status="live") is CONTINUE


def test_an_older_one_is_rewound_to_or_forked() -> None:
    pick = at(5, 500)
    looks = told(pick, at(4, 400), *LATER)
    assert looks.keys() == {REWIND, FORK}
    assert looks[REWIND] == (
        "Steps 600–1,100 (6 checkpoints, 12.0 MiB) are set aside when the job claims it, and can be brought back."
    )
    refused = outlooks(pick, (pick, *LATER[:2]), a_run())[0]
    assert refused.consequence == (
        "Newer ones can be restored (main-600, main-700): rewind sets them aside, fork leaves them."
    )
    assert mode_of(pick, *LATER) is REWIND
    assert mode_of(pick, *LATER, status="live") is FORK


def test_a_rewind_says_what_it_needs() -> None:
    pick = at(5, 500)
    alone = told(pick, at(6, 600))[REWIND]
    looks = outlooks(pick, (pick, at(6, 600)), a_run(), is_writable=False)
    assert [look.possible for look in looks] == [False, True, True]
    assert looks[1].consequence == (
        f"{alone} The job must be able to write in the run's folder, which cannot be written from here."
    )


def test_one_or_unknown_steps_are_counted_and_not_ranged() -> None:
    pick = at(5, 500)
    assert told(pick, at(6, 600))[REWIND].startswith("Step 600 (1 checkpoint, 2.0 MiB) is set aside when ")
    assert told(pick, at(6, None), at(7, 700))[REWIND].startswith("2 checkpoints (4.0 MiB) are set aside ")


def test_newer_ones_that_cannot_be_restored_stand_in_nobodys_way() -> None:
    pick = at(5, 500)
    looks = told(pick, broken(at(6, 600)))
    assert looks[CONTINUE] == "Goes on from the latest that can be restored; nothing is moved."
    assert looks[REWIND].startswith("Step 600 ")
    assert mode_of(pick, broken(at(6, 600))) is CONTINUE


def test_data_of_backup_and_restore_go_whatever_their_age() -> None:
    pick = at(5, 500)
    assert gone(pick, backup(1)) == ["latest.weights.h5"]
    assert gone(pick, backup(9)) == ["latest.weights.h5"]
    assert told(pick, backup(1))[REWIND] == (
        "BackupAndRestore's data (2.0 MiB), which would override it, is set aside when the job claims it, "
        "and can be brought back."
    )
    assert told(pick, backup(1), at(6, 600))[REWIND] == (
        "Step 600 (1 checkpoint, 2.0 MiB) and BackupAndRestore's data (2.0 MiB) are set aside when the job claims it, "
        "and can be brought back."
    )
    assert mode_of(pick, backup(1)) is REWIND
    assert mode_of(pick, backup(1), status="live") is CONTINUE
    assert gone(backup(1), at(0.5, 400)) == []


def test_a_run_that_is_its_root_has_no_fork() -> None:
    pick = at(5, 500)._replace(run=".")
    looks = outlooks(pick, (pick, *LATER), a_run("live", "."))
    assert [look.possible for look in looks] == [False, True, False]
    assert looks[0].consequence.endswith(": rewind sets them aside.")
    assert looks[2].consequence == "The run is its root: there is no place beside it."
    assert mode_of(pick, *LATER, status="live", run=".") is REWIND


def test_what_cannot_be_restored_has_no_mode() -> None:
    pick = broken(at(5, 500))
    assert told(pick) == {}
    assert outlooks(pick, (pick,), a_run())[1].consequence == "It cannot be restored: a shard is gone."


def test_what_other_callbacks_saved_with_the_pick_stays() -> None:
    pick, following = at(5, 500), at(6, 600)
    best = [at(minute + 0.1, 100 * minute, series="best") for minute in (3, 5, 6)]
    assert gone(pick, following, *best) == ["best-600", "main-600"]
    # a slow second file is nearer to the save after it
    assert gone(pick, following, at(5.6, 550, series="best")) == ["best-550", "main-600"]
    # the discriminator counts five steps for each of the generator's
    assert gone(pick, following, at(5.1, 2500, series="d"), at(6.1, 3000, series="d")) == ["d-3000", "main-600"]


def test_without_a_next_one_the_pace_of_earlier_saves_tells() -> None:
    pick = at(5, 500)
    periodic = [at(minute, 100 * minute, series="all") for minute in range(1, 9)]
    assert gone(pick, *periodic) == ["all-600", "all-700", "all-800"]
    assert gone(pick, at(4, 400), at(5.1, 2500, series="d"), at(4.1, 2000, series="d")) == []
    first = at(0, 0, series="start")  # without it all were saved within two seconds, which tells nothing
    assert gone(pick, at(5.01, 2500, series="d"), first) == []  # one file each, half a second apart
    assert gone(pick, at(9, 900, series="last")) == ["last-900"]
    assert gone(pick, at(9, 300, series="last")) == []  # later, but not further
    assert gone(pick, at(9, None, series="last")) == []


def test_where_times_are_lost_the_steps_tell() -> None:
    pick = copied(at(5, 500))
    others = [copied(at(1, step, series="best")) for step in (400, 500, 600, None)]
    assert gone(pick, copied(at(6, 600)), *others) == ["best-600", "main-600"]


def test_a_later_attempt_is_newer_though_its_steps_are_lower() -> None:
    pick = at(5, 500)
    assert gone(pick, at(8, 300)._replace(attempt=2), at(4, 400)) == ["main-300"]


def test_every_aside_says_why() -> None:
    pick = at(5, 500)
    others = (at(6, 600), at(6, 600, series="best"), backup(1))
    assert {aside.checkpoint.series: aside.reason for aside in set_aside(pick, others)} == {
        "main": "newer than main-500",
        "best": "saved after main-500",
        "backup": "BackupAndRestore's, would override main-500",
    }


@pytest.mark.parametrize(
    ("changes", "taken", "expected"),
    [
        ({}, (), "a-from-500"),
        ({}, ("a-from-500", "a-from-500-2"), "a-from-500-3"),
        ({"step": None, "name": "ckpt-7"}, (), "a-from-ckpt-7"),
        ({"step": None, "name": "loss: 0.3 *.h5"}, (), "a-from-loss-0.3-.h5"),
    ],
    ids=["step", "taken", "no-step", "odd-name"],
)
def test_the_name_of_a_fork(changes: dict[str, str | None], taken: tuple[str, ...], expected: str) -> None:
    known: dict[str, object] = {"minutes": 5, "step": 500}
    assert fork_name(at(**(known | changes)), taken) == expected  # type: ignore[arg-type]


def test_a_long_name_is_cut() -> None:
    pick = at(5, 500)._replace(run="ä" * 120)
    name = fork_name(pick)
    assert len(name.encode()) <= 200
    assert name.endswith("ä-from-500")
    assert fork_name(pick, (name,)) == f"{name}-2"
    both = fork_name(at(5, None, name="c" * 200)._replace(run="ä" * 120))
    assert len(both.encode()) <= 195
    assert "ä-from-ccc" in both
    assert fork_name(pick._replace(run="exp/..a")) == "a-from-500"


def test_weights_alone_get_a_run_of_their_own_or_all_else_goes() -> None:
    pick, others = at(5, 500), [at(4, 400), *LATER]
    members = (pick, *others)
    found = propose(pick, members, a_run("idle", "exp/a"), NOW, weights_only=True)
    assert found.mode is FORK
    assert {aside.checkpoint.path for aside in found.asides} == {item.path for item in others}
    assert not found.outlook(CONTINUE).possible
    assert "would save over" in found.outlook(CONTINUE).consequence
    assert (found.restore.initial_step, found.restore.initial_epoch) == (0, None)
    assert found.restore.optimizer == "left out"
    assert "weights-alone" in {warning.id for warning in found.warnings}
    assert {"step-unknown", "epoch-unknown", "not-in-the-file"}.isdisjoint(warning.id for warning in found.warnings)
    alone = propose(pick, (pick,), a_run("idle", "."), NOW, weights_only=True)
    assert alone.mode is CONTINUE
    assert alone.outlook(CONTINUE).consequence == "A new training begins in this run; nothing is moved."


def test_weights_alone_are_not_handed_over_where_no_job_takes_them() -> None:
    pick = at(5, 500)._replace(format=Format.WEIGHTS_H5_SHARDED)
    found = propose(pick, (pick,), a_run("idle", "exp/a"), NOW, weights_only=True)
    assert not any(look.possible for look in found.outlooks)
    assert propose(pick, (pick,), a_run("idle", "exp/a"), NOW).outlook(CONTINUE).possible
