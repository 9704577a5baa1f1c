"""Proposals: the call, the counters, and each warning that somebody must accept."""

from datetime import timedelta

import pytest

from core.base.facts import Contents, Format, Sourced
from core.base.files import FileStat
from core.base.records import Checkpoint, Finding, Severity
from core.formats.spec import RestoreApi
from core.resume.cautions import TEXTS, newer
from core.resume.manifest import Check, Mode, OptimizerOutcome, Restore
from core.resume.modes import outlooks
from core.resume.propose import Proposal, propose
from tests.support.resume_cases import NOW, a_checkpoint, a_run


def warned(
    checkpoint: Checkpoint, *others: Checkpoint, status: str = "idle", mode: Mode = Mode.CONTINUE
) -> dict[str, str]:
    """The warnings of a proposal, by id."""
    proposal = propose(checkpoint, (checkpoint, *others), a_run(status), NOW, mode)
    return {caution.id: caution.text for caution in proposal.warnings}


def keras(
    format_: Format, contents: Contents = Contents.WEIGHTS_AND_OPTIMIZER, *, name: str, **facts: object
) -> Checkpoint:
    """A checkpoint of one Keras file."""
    base = a_checkpoint(contents=contents, **facts)  # type: ignore[arg-type]
    return base._replace(format=format_, path=f"{base.folder}/{name}", files=(FileStat(name=name, size=1, mtime_ns=1),))


def test_a_whole_proposal() -> None:
    checkpoint = a_checkpoint(7)
    assert propose(checkpoint, (checkpoint,), a_run(), NOW) == Proposal(
        root="r00t",
        path="exp/a/ckpts/ckpt-7",
        made_at=NOW,
        mode=Mode.CONTINUE,
        restore=Restore(
            api=RestoreApi.TF_CHECKPOINT_RESTORE,
            initial_step=700,
            initial_epoch=7,
            optimizer=OptimizerOutcome.RESTORED,
            best_metric=None,
        ),
        checks=(
            Check(name="restorable", ok=True, detail="2 files, 14 bytes: whole as far as their structure tells"),
            Check(name="latest restorable", ok=True, detail="newer ones that can be restored in its series: 0"),
            Check(name="saved", ok=True, detail="2026-01-31T07:30:00Z, from mtime"),
            Check(name="step", ok=True, detail="700, from optimizer/_iterations"),
            Check(name="epoch", ok=True, detail="7, from the epoch in the name"),
            Check(name="optimizer", ok=True, detail="restored"),
            Check(name="findings", ok=True, detail="none"),
        ),
        warnings=propose(checkpoint, (), a_run(), NOW).warnings,
        outlooks=outlooks(checkpoint, (checkpoint,), a_run()),
        asides=(),
        stays=(checkpoint,),
        known_ns=1,
        fork_name="a-from-700",
        is_live=False,
    )
    assert warned(checkpoint) == {"not-in-the-file": TEXTS["not-in-the-file"]}
    assert propose(checkpoint, (), a_run(), NOW, has_state=True).warnings == ()
    unknown = checkpoint._replace(facts=checkpoint.facts._replace(epoch=None), metric=("val_loss", 0.3))
    told = {one.id for one in propose(unknown, (), a_run(), NOW).warnings}
    assert told == {"epoch-unknown", "best-metric", "not-in-the-file"}
    assert propose(unknown, (), a_run(), NOW, has_state=True).warnings == ()


FULL, WEIGHTS = Contents.FULL_MODEL, Contents.WEIGHTS_ONLY
SAVER, READ = RestoreApi.TF_V1_SAVER, RestoreApi.TF_CHECKPOINT_READ
MODEL, LOAD = RestoreApi.KERAS_LOAD_MODEL, RestoreApi.KERAS_LOAD_WEIGHTS
RESTORED, ABSENT = OptimizerOutcome.RESTORED, OptimizerOutcome.NOT_IN_FILE
NO = {"has_optimizer": False}
KERAS_2 = {"writer": "Keras 2.15.0, optimizer Adam"}


@pytest.mark.parametrize(
    ("checkpoint", "api", "outcome", "warning"),
    [
        (keras(Format.KERAS, FULL, name="a.keras"), MODEL, RESTORED, None),
        (keras(Format.KERAS, FULL, name="a.keras", writer="Keras 3.15.1"), MODEL, RESTORED, None),
        (
            keras(Format.KERAS, FULL, name="a.keras", **KERAS_2),
            RestoreApi.TF_KERAS_LOAD_MODEL,
            None,
            "written-by-keras-2",
        ),
        (keras(Format.WEIGHTS_H5, name="a.weights.h5"), LOAD, None, "optimizer-needs-build"),
        (keras(Format.WEIGHTS_H5_SHARDED, name="a.weights.json"), LOAD, None, "optimizer-needs-build"),
        (keras(Format.WEIGHTS_H5, WEIGHTS, name="a.weights.h5", **NO), LOAD, ABSENT, "optimizer-restarts"),
        (keras(Format.HDF5, FULL, name="a.h5"), MODEL, None, "legacy-hdf5"),
        (keras(Format.HDF5, WEIGHTS, name="a.h5", **NO), LOAD, ABSENT, "optimizer-restarts"),
        (keras(Format.SAVED_MODEL, FULL, name="saved_model.pb"), READ, None, "optimizer-needs-build"),
        (keras(Format.SAVED_MODEL, Contents.EXPORT, name="saved_model.pb", **NO), READ, ABSENT, "optimizer-restarts"),
        (keras(Format.ORBAX, FULL, name="_CHECKPOINT_METADATA"), RestoreApi.ORBAX_RESTORE, None, "optimizer-not-tried"),
        (keras(Format.TF_V1, name="model.ckpt"), SAVER, None, "optimizer-not-tried"),
        (keras(Format.TF_BUNDLE, name="model.ckpt-9.meta"), SAVER, None, "optimizer-not-tried"),
        (
            a_checkpoint(contents=WEIGHTS, has_optimizer=False),
            RestoreApi.TF_CHECKPOINT_RESTORE,
            ABSENT,
            "optimizer-restarts",
        ),
        (
            a_checkpoint(contents=Contents.UNKNOWN, has_optimizer=False),
            RestoreApi.TF_CHECKPOINT_RESTORE,
            None,
            "contents-unknown",
        ),
    ],
)
def test_the_call_and_what_becomes_of_the_optimizer(
    checkpoint: Checkpoint, api: RestoreApi, outcome: OptimizerOutcome | None, warning: str | None
) -> None:
    proposal = propose(checkpoint, (checkpoint,), a_run(), NOW)
    assert (proposal.restore.api, proposal.restore.optimizer) == (api, outcome)
    about = {caution.id for caution in proposal.warnings} - {"not-in-the-file", "written-by-keras-2"}
    if warning == "written-by-keras-2":
        assert warning in {caution.id for caution in proposal.warnings}
    else:
        assert about == ({warning} if warning else set())


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (Sourced(value=4, source="the epoch in the name"), 4),
        (Sourced(value=4, source="the number in the name"), None),
        (Sourced(value=4, source="training_metadata.json"), 4),
        (Sourced(value=4, source="epoch"), None),
        (Sourced(value=4, source="trainer/filename_epoch"), None),
        (Sourced(value=-1, source="the epoch in the name"), None),
        (None, None),
    ],
)
def test_the_epoch_is_known_only_where_the_counting_is(epoch: Sourced | None, expected: int | None) -> None:
    checkpoint = a_checkpoint(epoch=epoch)
    assert propose(checkpoint, (), a_run(), NOW).restore.initial_epoch == expected
    assert ("epoch-unknown" in warned(checkpoint)) == (expected is None)


def test_a_loop_that_counts_steps_alone_is_not_asked_for_epochs() -> None:
    checkpoint = a_checkpoint(epoch=None, save_counter=Sourced(value=3, source="save_counter"))
    assert "epoch-unknown" not in warned(checkpoint)
    for told in ({"epoch": Sourced(value=4, source="epoch")}, {"step": None}):
        other = checkpoint._replace(facts=checkpoint.facts._replace(**told))
        assert "epoch-unknown" in warned(other)  # something counts epochs, or nothing tells how far it is


def test_newer_ones_are_named_with_the_reason() -> None:
    broken = a_checkpoint(9)._replace(
        restorable=False,
        findings=(
            Finding(path="x", rule="missing-shard", severity=Severity.ERROR, reason="shard 0 is gone", action="none"),
        ),
    )
    told = warned(a_checkpoint(7), a_checkpoint(6), a_checkpoint(8), broken, a_checkpoint(10)._replace(series="other"))
    assert told["newer-not-restorable"].endswith("cannot be restored: ckpt-9 (shard 0 is gone).")
    others = {mode: warned(a_checkpoint(7), broken, mode=mode) for mode in Mode}
    assert [mode for mode, warnings in others.items() if "newer-not-restorable" in warnings] == [Mode.CONTINUE]


def test_newer_is_the_later_attempt_then_the_step_then_the_time() -> None:
    chosen = a_checkpoint(7)
    rewound = a_checkpoint(2)._replace(attempt=2)
    assert newer(chosen, (rewound, a_checkpoint(8), a_checkpoint(3))) == (a_checkpoint(8), rewound)
    without = a_checkpoint(3, step=None)._replace(saved_at=chosen.saved_at + timedelta(hours=1))
    assert newer(chosen, (without, a_checkpoint(6))) == (without,)


def test_many_newer_ones_are_counted() -> None:
    broken = (a_checkpoint(number)._replace(restorable=False) for number in range(2, 10))
    told = warned(a_checkpoint(1), *broken)["newer-not-restorable"]
    assert "ckpt-5 (not" in told
    assert "ckpt-4" not in told
    assert told.endswith(" and 3 more.")


def test_what_a_rewind_sets_aside_is_not_told_as_another_series() -> None:
    pick, following = a_checkpoint(5), a_checkpoint(6)
    best = [
        a_checkpoint(number, folder="exp/a/best")._replace(series="best", is_latest=number == 7) for number in (4, 7)
    ]
    assert "(ckpt-7)" in warned(pick, following, *best)["other-series"]
    assert "(ckpt-4)" in warned(pick, following, *best, mode=Mode.REWIND)["other-series"]
    assert "other-series" not in warned(pick, following, best[1], mode=Mode.REWIND)


def test_backup_and_restore_overrides_a_load() -> None:
    backup = keras(Format.WEIGHTS_H5, name="latest.weights.h5")
    chief = a_checkpoint(3)._replace(folder="exp/a/backup/chief", path="exp/a/backup/chief/ckpt-3", series="b")
    assert "latest.weights.h5" in warned(a_checkpoint(), backup)["backup-overrides"]
    assert "ckpt-3" in warned(a_checkpoint(), chief)["backup-overrides"]
    assert "backup-pairs" in warned(backup)
    assert "backup-overrides" not in warned(backup)
    assert "backup-overrides" not in warned(a_checkpoint(), backup, mode=Mode.REWIND)
    assert "backup-overrides" not in warned(a_checkpoint(), backup, mode=Mode.FORK)


def test_a_live_run_an_unknown_step_findings_and_a_metric_are_told() -> None:
    doubt = Finding(path="x", rule="old-index", severity=Severity.WARNING, reason="the index is older", action="verify")
    checkpoint = a_checkpoint(step=None, step_reason="no counter")._replace(
        findings=(doubt,), metric=("val_loss", 0.285)
    )
    told = warned(checkpoint, status="live")
    assert told["step-unknown"].startswith("The step is not known (no counter): ")
    assert told["findings"] == "It can be restored, but: the index is older."
    assert "initial_value_threshold=0.285" in told["best-metric"]
    assert "run-is-live" in told
    assert "run-is-live" in warned(checkpoint, status="live", mode=Mode.REWIND)
    assert "run-is-live" not in warned(checkpoint, status="live", mode=Mode.FORK)
    assert propose(checkpoint, (), a_run(), NOW).restore.initial_step is None
    assert propose(checkpoint, (), a_run(), NOW).restore.best_metric is None


def test_what_cannot_be_restored_says_why() -> None:
    checkpoint = a_checkpoint()._replace(restorable=False)
    check = propose(checkpoint, (), a_run(), NOW).checks[0]
    assert (check.ok, check.detail) == (False, "not everything that the restore reads is there")
