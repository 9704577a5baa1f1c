"""A job's settings as YAML beside its checkpoints: Lightning's hparams.yaml, DVC's params.yaml, config.yaml."""

from __future__ import annotations

from core.metrics.records import Position, Reading
from core.metrics.settings_files import NAMES, read_settings
from core.metrics.spec import MetricSource, Place
from core.metrics.yaml_text import parse
from core.stores.store import Store


def recognises(place: Place) -> bool:
    """By its name."""
    stem, dot, ending = place.name.lower().rpartition(".")
    return bool(dot) and ending in ("yaml", "yml") and stem in NAMES


def read(store: Store, path: str, _position: Position | None) -> Reading:
    """All of it."""
    return read_settings(store, path, parse)


SOURCE = MetricSource(
    name="yaml-settings",
    label="YAML settings",
    files="`hparams.yaml`, `params.yaml`, `config.yaml` and the like",
    tells="settings, flattened",
    recognises=recognises,
    read=read,
)
