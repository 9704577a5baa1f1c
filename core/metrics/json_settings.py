"""A job's settings as JSON beside its checkpoints: params.json, config.json, args.json and the like, flattened."""

from __future__ import annotations

from core.formats.json_text import parse
from core.metrics.records import Position, Reading
from core.metrics.settings_files import NAMES, read_settings
from core.metrics.spec import MetricSource, Place
from core.stores.store import Store

# A model's architecture, as Keras writes it, is no job's settings.
_KERAS_MODEL = {"class_name", "config"}


def recognises(place: Place) -> bool:
    """By its name."""
    stem, dot, ending = place.name.lower().rpartition(".")
    return bool(dot) and ending == "json" and stem in NAMES


def read(store: Store, path: str, _position: Position | None) -> Reading:
    """All of it."""
    return read_settings(store, path, parse, lambda found: None if found.keys() >= _KERAS_MODEL else found)


SOURCE = MetricSource(
    name="json-settings",
    label="JSON settings",
    files=(
        "`params.json`, `config.json`, `args.json`, `hparams.json` and the like, unless it is a Keras model's"
        " architecture"
    ),
    tells="settings, flattened",
    recognises=recognises,
    read=read,
)
