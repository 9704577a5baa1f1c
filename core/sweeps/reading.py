"""Trials and what lies beside them, read from the disk: text and JSON of bounded length, and nothing else."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from core.base.errors import FormatError
from core.runs.trial_names import KERAS_TUNER_FILE, RAY_FILES, is_keras_tuner_trial, is_ray_trial
from core.stores.store import Store
from core.sweeps import keras_tuner, ray_tune
from core.sweeps.limits import MOST_BYTES, MOST_STATE_BYTES
from core.sweeps.records import SweepKind, Trial, TrialStatus
from waypoint_resume.names import join, to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A tuner whose trials are read: its `label` for people, how a trial's folder is known by its path and the names of
    its files, and the reader of one, which raises OSError. docs/sweeps.md has a row for each.
    """

    kind: SweepKind
    label: str
    is_trial: Callable[[str, Collection[str]], bool]
    read: Callable[[Store, str], Trial | None]


def read_trial(store: Store, folder: str, names: Collection[str]) -> Trial | None:
    """The trial that a folder is, by the names of its files; None where it is none."""
    source = next((one for one in SOURCES if one.is_trial(folder, names)), None)
    if source is None:
        return None
    try:
        return source.read(store, folder)
    except OSError as error:
        problem = f"{os.path.basename(error.filename or '') or 'a file'} cannot be read: {error.strerror or error}"
        return Trial(path=folder, kind=source.kind, name=folder.rpartition("/")[2], problem=to_text(problem))


def _keras_tuner(store: Store, folder: str) -> Trial | None:
    return keras_tuner.read_trial(store.read(join(folder, KERAS_TUNER_FILE), MOST_BYTES + 1), folder)


def _ray_tune(store: Store, folder: str) -> Trial | None:
    params, _, results = RAY_FILES
    content, place = store.read(join(folder, params), MOST_BYTES + 1), join(folder, results)
    start = max(0, store.stat(place).size - ray_tune.TAIL)
    (tail,) = store.read_ranges(place, [(start, ray_tune.TAIL)])
    return ray_tune.read_trial(content, tail, folder)


SOURCES = (
    Source(kind=SweepKind.KERAS_TUNER, label="KerasTuner, AutoKeras", is_trial=is_keras_tuner_trial, read=_keras_tuner),
    Source(
        kind=SweepKind.RAY_TUNE, label="Ray Tune", is_trial=lambda _folder, names: is_ray_trial(names), read=_ray_tune
    ),
)


def missing(folder: str) -> Trial:
    """A folder that KerasTuner named as a trial's, without its trial.json."""
    name = folder.rpartition("/")[2].partition("_")[2]
    return Trial(
        path=folder, kind=SweepKind.KERAS_TUNER, name=name, problem=f"there is no {KERAS_TUNER_FILE} of KerasTuner's"
    )


def with_tuner(store: Store, sweep: str, trials: Sequence[Trial]) -> tuple[tuple[Trial, ...], str | None, str | None]:
    """Trials with what the tuner's own files say of them; the objective's name, where they tell; and what cannot be
    read.
    """
    if any(keras_tuner.is_of_hyperband(trial) for trial in trials):
        return *_hyperband(store, sweep, trials), None
    if any(trial.kind is SweepKind.RAY_TUNE for trial in trials):
        return _ray(store, sweep, trials)
    return tuple(trials), None, None


def _hyperband(store: Store, sweep: str, trials: Sequence[Trial]) -> tuple[tuple[Trial, ...], None]:
    """Trials with why Hyperband may still begin others with their weights."""
    try:
        ids = keras_tuner.trials_in_brackets(store.read(join(sweep, keras_tuner.ORACLE), MOST_BYTES))
    except (OSError, FormatError):
        why = f"{keras_tuner.ORACLE} cannot be read: Hyperband may go on from any trial"
        return tuple(trial._replace(needed=why) for trial in trials), None
    needed = dict.fromkeys(ids, f"in a bracket of {keras_tuner.ORACLE}: Hyperband may go on from its weights")
    for trial in trials:
        if (earlier := keras_tuner.begins_with(trial)) is not None:
            needed[earlier] = f"trial {trial.name} is loaded with its weights (Hyperband)"
    return tuple(trial._replace(needed=needed.get(trial.name)) for trial in trials), None


def _ray(store: Store, sweep: str, trials: Sequence[Trial]) -> tuple[tuple[Trial, ...], str | None, str | None]:
    trials = tuple(trial._replace(status=TrialStatus.UNKNOWN, score=None) for trial in trials)
    try:
        states = [file for file in store.members(sweep).files if file.name.startswith(ray_tune.STATE)]
        newest = max(states, key=lambda file: (file.mtime_ns, file.name), default=None)
        if newest is None:
            return trials, None, f"there is no {ray_tune.STATE}….json: no trial's status is known"
        if newest.size > MOST_STATE_BYTES:
            return trials, None, f"{newest.name} is larger than {MOST_STATE_BYTES:,} bytes"
        metric, statuses = ray_tune.read_state(store.read(join(sweep, newest.name), MOST_STATE_BYTES + 1))
    except (OSError, FormatError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        return trials, None, f"the experiment's state cannot be read: {reason}"
    found = []
    for trial in trials:
        status = statuses.get(trial.path.rpartition("/")[2]) or statuses.get(trial.name, TrialStatus.UNKNOWN)
        score = next((one.value for one in trial.metrics if one.name == metric), None)
        found.append(trial._replace(status=status, score=score))
    return tuple(found), metric, None
