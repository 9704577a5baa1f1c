"""The table of sources: a row each. The first that recognises a file has it."""

from __future__ import annotations

from core.metrics import (
    csv_log,
    flag_file,
    guild,
    hydra,
    json_log,
    json_settings,
    keras_tuner,
    mlflow,
    tensorboard,
    wandb,
    yaml_settings,
)
from core.metrics.records import Position, Reading
from core.metrics.spec import MetricSource, Names, Place
from core.stores.store import Store

SOURCES: tuple[MetricSource, ...] = (
    tensorboard.SOURCE,
    mlflow.SOURCE,
    keras_tuner.SOURCE,
    guild.SOURCE,
    hydra.SOURCE,
    wandb.SOURCE,
    csv_log.SOURCE,
    json_settings.SOURCE,
    yaml_settings.SOURCE,
    flag_file.SOURCE,
    json_log.SOURCE,
)
PREFERENCE = tuple(source.name for source in SOURCES)  # where several tell the same, the first is believed
_BY_NAME = {source.name: source for source in SOURCES}


def source_of(path: str, names_in: Names) -> MetricSource | None:
    """The source of a file (path relative to the root), by its name and those around it; None where nothing is read
    from it. `names_in` gives the names of the files in a folder, an empty collection for one that is not there.
    """
    place = Place(path, names_in)
    return next((source for source in SOURCES if source.recognises(place)), None)


def source_named(name: str) -> MetricSource:
    """The row of a name; KeyError."""
    return _BY_NAME[name]


def read_metrics(store: Store, path: str, source: MetricSource, position: Position | None = None) -> Reading:
    """What one file gives since a position; OSError where it cannot be read."""
    return source.read(store, path, position)
