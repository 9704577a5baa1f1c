"""Runs whose truth is known: trainings with names as people give them, damages, and the traces that a plan judges by.

What really happened (which training a save belongs to, which one is newer, what its files hold) is kept beside what
Waypoint is shown: names, times that a copy may have changed, steps that not every format stores, findings.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from hypothesis import strategies as st

from core.base.facts import Format
from core.base.files import FileStat
from core.base.records import Checkpoint, Health, Leftover, SavedAtSource
from core.formats.file_groups import LEFT_BY
from core.health.rule import Family
from core.health.rules import RULES
from core.resume.history import Manifests
from core.retention.planned import RunState
from core.runfolder.pins import Pins
from tests.support.findings import finding
from tests.support.trees import MINUTE_NS, START, START_NS, a_member
from waypoint_resume.file_names import read_name

NOW_NS = START_NS + 1_000_000 * MINUTE_NS
WHOLE = "whole"
# What may be wrong with a checkpoint's files. Nothing but `infinite` and `untracked` leaves it restorable.
WRONG = [
    rule.id
    for rule in RULES.values()
    if rule.family in (Family.FILES, Family.VERIFICATION) and rule.id not in ("orphan-shard", "unrenamed-save")
]
HARMLESS = frozenset({WHOLE, "infinite", "untracked"})
EMPTY = frozenset({"orphan-index", "empty-file", "lfs-pointer"})  # no value of the training lies in it
COMPLETE = frozenset({"pattern-path", "no-permission", "not-told", "non-finite", "unrenamed-save"})


class Moment(NamedTuple):
    """Where a training stands at a save."""

    epoch: int
    step: int
    loss: float
    at: datetime


class Habit(NamedTuple):
    """How a job names its saves. `tells` says what orders two names: a count, a date, or nothing."""

    name: Callable[[Moment], str]
    tells: str


def _date(spelling: str) -> Callable[[Moment], str]:
    return lambda at: at.at.strftime(spelling)


HABITS: Mapping[str, Habit] = {
    "tf2-manager": Habit(lambda at: f"ckpt-{at.epoch}", "count"),
    "tf1-saver": Habit(lambda at: f"model.ckpt-{at.step}", "count"),
    "tutorial": Habit(lambda at: f"cp-{at.epoch:04d}.ckpt", "count"),
    "keras-documented": Habit(lambda at: f"weights.{at.epoch:02d}-{at.loss:.2f}.hdf5", "count"),
    "keras-epoch": Habit(lambda at: f"epoch-{at.epoch:02d}.weights.h5", "count"),
    "keras-epoch-batch": Habit(lambda at: f"w-{at.epoch:02d}-{at.step % 100 + 1:04d}.keras", "count"),
    "lightning": Habit(lambda at: f"epoch={at.epoch}-step={at.step}-val_loss={at.loss:.2f}.ckpt", "count"),
    "gluon": Habit(lambda at: f"Epoch{at.epoch}-Loss{at.loss:.3f}.h5", "count"),
    "behind": Habit(lambda at: f"model_{at.epoch}_epochs.h5", "count"),
    "caffe": Habit(lambda at: f"vgg16_faster_rcnn_iter_{at.step}.ckpt", "count"),
    "iter-loss": Habit(lambda at: f"iter_{at.step}_loss_{at.loss:.0f}", "count"),
    "of-a-total": Habit(lambda at: f"ckpt-{at.step}-of-5000", "count"),
    "orbax": Habit(lambda at: f"{at.step}", "count"),
    "padded": Habit(lambda at: f"{at.epoch:02d}.h5", "count"),
    "bare": Habit(lambda at: f"{at.epoch}", "count"),
    "model-of": Habit(lambda at: f"model_{at.epoch}", "count"),
    "garden": Habit(lambda at: f"ctl_step_{at.step}.ckpt-{at.epoch}", "count"),
    "spaces": Habit(lambda at: f"my model, epoch {at.epoch}.keras", "count"),
    "cyrillic": Habit(lambda at: f"модель-epoch-{at.epoch}.h5", "count"),
    "bytes": Habit(lambda at: f"mod\udce9le-{at.epoch}", "count"),
    "brackets": Habit(lambda at: f"[x]*{{0}}?-{at.epoch}", "count"),
    "strftime": Habit(_date("model_%Y%m%d-%H%M%S"), "date"),
    "iso": Habit(_date("run-%Y-%m-%dT%H:%M:%SZ"), "date"),
    "tensorboard": Habit(_date("%b%d_%H-%M-%S_host"), "date"),
    "day-first": Habit(_date("m_%d.%m.%Y_%H-%M-%S.h5"), "date"),
    "loss-alone": Habit(lambda at: f"best-{at.loss:.4f}.h5", "nothing"),
    "metric-alone": Habit(lambda at: f"checkpoint_-{at.loss:.6f}", "nothing"),
}
# How trainings of one folder are told apart by their names: without a function by this word and a number before them;
# `restart`: only by counts that start again.
IDENTITIES: Mapping[str, tuple[Callable[[int, str], str] | None, str]] = {
    **dict.fromkeys(("fold", "seed", "rank", "worker", "k", "v", "exp"), (None, "word")),
    "fold-2": (lambda i, name: f"fold_{i}_{name}", "word"),
    "trial": (lambda i, name: f"trial_{i:04d}_{name}", "word"),
    "part": (lambda i, name: f"part-{i}-{name}", "word"),
    "folder": (lambda i, name: f"fold{i}/{name}", "word"),
    "plain folder": (lambda i, name: f"{i}/{name}", "word"),
    "rate": (lambda i, name: f"lr0.{i}-{name}", "word"),
    "rate-e": (lambda i, name: f"lr1e-{i}-{name}", "word"),
    "nets": (lambda i, name: f"{('generator', 'discriminator', 'critic')[i - 1]}-{name}", "word"),
    "architectures": (lambda i, name: f"resnet_{(18, 50, 101)[i - 1]}_{name}", "word"),
    "date": (lambda i, name: f"2024010{i}-120000_{name}", "restart"),
    "number": (lambda i, name: f"{i}-{name}", "restart"),
    "cv": (lambda i, name: f"m-{i}-{name}", "restart"),
    "save": (lambda i, name: f"ckpt-{i}-{name}", "restart"),
}


class Save(NamedTuple):
    """One save as it really was. `place` counts the saves of its training; `thing` is what Waypoint is shown of it."""

    training: int
    place: int
    moment: Moment
    state: str
    thing: Checkpoint | Leftover

    @property
    def path(self) -> str:
        """Relative to the run."""
        return self.thing.path.removeprefix("run/")

    @property
    def is_restorable(self) -> bool:
        """Whether training can go on from it, as far as anything is known."""
        return self.state in HARMLESS

    @property
    def holds_values(self) -> bool:
        """Whether values of the training lie in its files."""
        return self.state not in EMPTY and self.state != "temp-state"


class TrueRun(NamedTuple):
    """A run: its saves, and what of the truth can be seen at all."""

    saves: tuple[Save, ...]
    state: RunState
    habit: Habit
    identity: str  # word, restart or alone: what tells its trainings apart
    times: str  # true, copied, state-file, format, listed (a copy whose state file lists some): what tells of times
    has_restarted: bool

    def __repr__(self) -> str:
        return "TrueRun(…)"


FORMS = {".h5": Format.HDF5, ".hdf5": Format.HDF5, ".weights.h5": Format.WEIGHTS_H5, ".keras": Format.KERAS}
SOURCES = {"state-file": SavedAtSource.STATE_FILE, "format": SavedAtSource.FORMAT}


def _unnamed(_training: int, name: str) -> str:
    return name


def _worded(word: str, training: int, name: str) -> str:
    return f"{word}{training}-{name}"


@st.composite
def true_runs(draw: st.DrawFn) -> TrueRun:
    """One to three trainings in one run, saved now and then, some of it damaged, in whatever order."""
    habit_name = draw(st.sampled_from(sorted(HABITS)))
    habit = HABITS[habit_name]
    count = draw(st.sampled_from([1, 1, 2, 3]))
    identity = draw(st.sampled_from(sorted(IDENTITIES)))
    named, told = IDENTITIES[identity] if count > 1 else (_unnamed, "alone")
    named = named or partial(_worded, identity)
    times = draw(st.sampled_from(["true", "true", "copied", "state-file", "format", "listed"]))
    in_turn, knows_steps = draw(st.booleans()), draw(st.sampled_from([0, 1, 2]))  # of 2 saves so many
    per_epoch, first = draw(st.sampled_from([1, 8, 100, 37])), draw(st.sampled_from([0, 1, 1, 7]))
    default = Format.ORBAX if habit_name == "orbax" else Format.TF_BUNDLE
    found: list[Save] = []
    restarted = False
    for training in range(1, count + 1):
        moments = draw(_moments(per_epoch, first))
        restarted |= moments != sorted(moments, key=lambda moment: moment.step)
        for place, moment in enumerate(moments):
            late = timedelta(days=training) if in_turn else timedelta(seconds=training)
            moment = moment._replace(at=moment.at + late)
            name = named(training, habit.name(moment))
            path = f"run/{name}"
            form = next((form for end, form in FORMS.items() if name.endswith(end)), default)
            state = draw(st.sampled_from([WHOLE] * 12 + WRONG + ["writing", "unrenamed-save", "orphan-shard", "temp"]))
            if state in ("orphan-shard", "temp") and form is not LEFT_BY:
                state = WHOLE  # only a bundle's save leaves such parts
            knows = knows_steps > draw(st.integers(0, 1)) and state not in EMPTY | {"missing-shard", "unreadable-file"}
            source = times if times != "listed" else draw(st.sampled_from(["copied", "state-file"]))
            shown = _Shown(source, draw(st.integers(0, 1999)), moment.step if knows else None, times == "listed")
            thing = _shown(path, state, form, moment, shown)
            found = [one for one in found if one.thing.path != thing.path]  # a name that is used again
            found.append(Save(training, place, moment, state, thing))
    items = draw(st.permutations(found))
    state_ = RunState(
        root="r00t",
        root_path="/data",
        run="run",
        is_live=False,
        now_ns=NOW_NS,
        checkpoints=tuple(one.thing for one in items if isinstance(one.thing, Checkpoint)),
        leftovers=tuple(one.thing for one in items if isinstance(one.thing, Leftover)),
        pins=Pins(),
        manifests=Manifests(),
    )
    return TrueRun(tuple(found), state_, habit, told, times, restarted)


@st.composite
def _moments(draw: st.DrawFn, per_epoch: int, first: int) -> list[Moment]:
    """The saves of one training, in the order in which they were made; perhaps it was started again in between."""
    epochs = list(range(first, first + draw(st.integers(1, 5))))
    if draw(st.integers(0, 5)) == 0:
        back = draw(st.integers(0, len(epochs) - 1))
        epochs += range(epochs[back], epochs[back] + draw(st.integers(1, 3)))
    minute = draw(st.sampled_from([0.1, 7.0, 600.0]))
    return [
        Moment(
            epoch,
            (epoch + 1 - min(first, 1)) * per_epoch,
            draw(st.integers(1, 9_999)) / 1000,
            START + timedelta(minutes=minute * place),
        )
        for place, epoch in enumerate(epochs)
    ]


class _Shown(NamedTuple):
    """What is told of a save's time and step: where the time comes from, when its file was copied (ms)."""

    source: str
    copied_ms: int
    step: int | None
    is_copy: bool


def _shown(path: str, state: str, form: Format, moment: Moment, shown: _Shown) -> Checkpoint | Leftover:
    """What a look at the disk tells of a save."""
    is_copied = shown.is_copy or shown.source == "copied"
    copied_ns = START_NS + 400 * 86_400 * 10**9 + shown.copied_ms * 10**6
    at_ns = copied_ns if is_copied else int(moment.at.timestamp() * 1000) * 1_000_000
    folder, _, base = path.rpartition("/")
    if state in ("orphan-shard", "temp"):
        name = path if state == "orphan-shard" else f"{path}_temp"
        file = FileStat(f"{name.rpartition('/')[2]}.data-00000-of-00001", 9, at_ns)
        rule = "orphan-shard" if state == "orphan-shard" else "interrupted-save"
        return Leftover(path=name, rule=rule, files=(file,), reason="x")
    item = a_member(base, step=shown.step, form=form, folder=folder, restorable=state in HARMLESS)
    if state in ("interrupted-save", "unrenamed-save"):
        item = item._replace(path=f"{path}.orbax-checkpoint-tmp-17033341219")
    found = () if state in (WHOLE, "writing") else (finding(state, item.path, "x"),)
    source = SOURCES.get(shown.source, SavedAtSource.MTIME)
    return item._replace(
        run="run",
        files=(FileStat(f"{base}.index", 10, at_ns),),
        saved_at=datetime.fromtimestamp(at_ns / 1e9, UTC) if source is SavedAtSource.MTIME else moment.at,
        saved_at_source=source,
        findings=found,
        health=Health.WRITING if state == "writing" else Health.ERROR if found else Health.OK,
        metric=read_name(base).metric,
        facts=item.facts._replace(fingerprint=None if state in EMPTY else "9f86d081"),
    )
