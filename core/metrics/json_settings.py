"""A job's settings as JSON beside its checkpoints: params.json, config.json, args.json and the like, flattened."""

from __future__ import annotations

from core.base.errors import FormatError
from core.formats.json_text import parse
from core.metrics.limits import MOST_WHOLE_BYTES
from core.metrics.parameters import flat_parameters
from core.metrics.problems import Problems
from core.metrics.records import Position, Reading
from core.metrics.spec import MetricSource, Place
from core.metrics.whole_files import read_whole
from core.stores.store import Store

_WORDS = "params parameters hparams hyperparameters hyperparams config configs args arguments flags settings options"
NAMES = frozenset(f"{word}.json" for word in _WORDS.split()) | {"training_args.json", "train_config.json"}
# A model's architecture as Keras writes it, Hugging Face's model too, and what describes data, are no job's settings.
_KERAS_MODEL = {"class_name", "config"}


def recognises(place: Place) -> bool:
    """By its name."""
    return place.name.lower() in NAMES


def read(store: Store, path: str, _position: Position | None) -> Reading:
    """All of it."""
    problems = Problems(path)
    content = read_whole(store, path, MOST_WHOLE_BYTES, problems)
    if content is None:
        return Reading(problems=problems.all())
    try:
        found = parse(content, path.rpartition("/")[2])
    except FormatError as error:
        problems.add_error(error)
        return Reading(problems=problems.all())
    if not isinstance(found, dict) or found.keys() >= _KERAS_MODEL:
        return Reading(is_foreign=True)
    return Reading(parameters=flat_parameters(found, problems), problems=problems.all())


SOURCE = MetricSource(name="json-settings", label="JSON settings", recognises=recognises, read=read)
