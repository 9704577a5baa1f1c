"""The flags of a Guild AI run, `.guild/attrs/flags` (YAML); what it measured stands in event files.

https://my.guildai.org/t/run-files/153.
"""

from __future__ import annotations

from core.metrics.records import Position, Reading
from core.metrics.settings_files import read_settings
from core.metrics.spec import MetricSource, Place
from core.metrics.yaml_text import parse
from core.stores.store import Store

_FOLDERS, _FILE = (".guild", "attrs"), "flags"


def recognises(place: Place) -> bool:
    """By its folders and name."""
    return place.name == _FILE and place.parts[-2:] == _FOLDERS


def read(store: Store, path: str, _position: Position | None) -> Reading:
    """All of it."""
    return read_settings(store, path, parse)


SOURCE = MetricSource(
    name="guild",
    label="Guild AI",
    files="`.guild/attrs/flags`",
    tells="flags; what was measured stands in event files",
    recognises=recognises,
    read=read,
)
