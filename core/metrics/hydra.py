"""Hydra's record of a job's configuration, `.hydra/config.yaml`; that of Hydra itself and the overrides say no more.

https://hydra.cc/docs/configure_hydra/workdir/.
"""

from __future__ import annotations

from core.metrics.records import Position, Reading
from core.metrics.settings_files import read_settings
from core.metrics.spec import MetricSource, Place
from core.metrics.yaml_text import parse
from core.stores.store import Store

_FOLDER, _FILE = ".hydra", "config.yaml"


def recognises(place: Place) -> bool:
    """By its folder and name."""
    return place.name == _FILE and place.parts[-1:] == (_FOLDER,)


def read(store: Store, path: str, _position: Position | None) -> Reading:
    """All of it."""
    return read_settings(store, path, parse)


SOURCE = MetricSource(
    name="hydra",
    label="Hydra",
    files="`.hydra/config.yaml`",
    tells="the configuration, flattened",
    recognises=recognises,
    read=read,
)
