"""The last part of a pass: sweeps of which something changed are ranked anew, from all of their trials."""

from collections.abc import Collection

from sqlalchemy import Engine

from core.catalog import sweeps
from core.runs.trial_names import KERAS_TUNER_FOLDER
from core.stores.store import Store
from core.sweeps.ranking import ranked
from core.sweeps.reading import missing, with_tuner
from core.sweeps.records import SweepKind, Trial


def rank_sweeps(engine: Engine, store: Store, root: str, folders: Collection[str]) -> bool:
    """Rank the sweeps that the catalog has no row of: whatever changes one takes its row away, so that a killed pass
    is made up for. `folders` are all of the root. Returns whether there were any.
    """
    found = sweeps.unranked(engine, root)
    gone = _without_record(found, folders)
    for path, trials in found.items():
        named, metric, problem = with_tuner(store, path, [*trials, *gone.get(path, ())])
        with engine.begin() as connection:
            sweeps.store_sweep(connection, *ranked(root, path, named, metric, problem))
    return bool(found)


def _without_record(found: dict[str, tuple[Trial, ...]], folders: Collection[str]) -> dict[str, list[Trial]]:
    """The folders of KerasTuner's sweeps that are named as trials and have no trial.json."""
    places = {path for path, trials in found.items() if any(one.kind is SweepKind.KERAS_TUNER for one in trials)}
    known = {trial.path for trials in found.values() for trial in trials}
    gone: dict[str, list[Trial]] = {}
    for folder in folders if places else ():
        parent, _, name = folder.rpartition("/")
        if name.startswith(KERAS_TUNER_FOLDER) and parent in places and folder not in known:
            gone.setdefault(parent, []).append(missing(folder))
    return gone
