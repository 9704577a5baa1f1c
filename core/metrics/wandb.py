"""What Weights & Biases leaves in a run's `files/`: config.yaml, each value in a mapping of its own, and
wandb-summary.json with the last value of each metric. The log itself is binary, and is not read.

https://docs.wandb.ai/guides/track/config/ and …/track/log/log-summary/.
"""

from __future__ import annotations

from core.metrics.json_document import read_document
from core.metrics.records import Position, Reading
from core.metrics.settings_files import read_settings
from core.metrics.spec import MetricSource, Place
from core.metrics.yaml_text import parse
from core.stores.store import Store

_CONFIG, _SUMMARY, _METADATA = "config.yaml", "wandb-summary.json", "wandb-metadata.json"
_OWN = ("_wandb", "wandb_version")


def recognises(place: Place) -> bool:
    """The summary by its name, the configuration by what stands beside it."""
    if place.name == _SUMMARY:
        return True
    is_beside = any(map(place.has_beside, (_SUMMARY, _METADATA)))
    return place.name == _CONFIG and (is_beside or (place.parts[-1:] == ("files",) and "wandb" in place.parts))


def read(store: Store, path: str, _position: Position | None) -> Reading:
    """All of it."""
    if path.endswith(_SUMMARY):
        return read_document(store, path)
    return read_settings(store, path, parse, _values)


def _values(found: dict[str, object]) -> object:
    """The values; those of a file that was written by hand stand for themselves."""
    return {
        name: value["value"] if isinstance(value, dict) and "value" in value else value
        for name, value in found.items()
        if name not in _OWN
    }


SOURCE = MetricSource(
    name="wandb",
    label="Weights & Biases",
    files="`files/config.yaml`, `wandb-summary.json`",
    tells="the configuration; the last value of each metric. The log itself is binary, and is not read",
    recognises=recognises,
    read=read,
)
