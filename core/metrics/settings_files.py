"""Files of settings, read whole and flattened: what the sources of parameters share."""

from __future__ import annotations

from collections.abc import Callable

from core.base.errors import FormatError
from core.metrics.limits import MOST_WHOLE_BYTES
from core.metrics.parameters import flat_parameters
from core.metrics.problems import Problems
from core.metrics.records import Reading
from core.metrics.whole_files import read_whole
from core.stores.store import Store

_WORDS = "params parameters hparams hyperparameters hyperparams config configs args arguments flags settings options"
NAMES = frozenset(_WORDS.split()) | {"training_args", "train_config", "training_config", "experiment_config"}
Parser = Callable[[bytes, str], object]
Picker = Callable[[dict[str, object]], object]


def read_settings(store: Store, path: str, parse: Parser, pick: Picker = lambda found: found) -> Reading:
    """The parameters in a mapping; `pick` gives the part that holds them, None where another tool wrote the file."""
    problems = Problems(path)
    content = read_whole(store, path, MOST_WHOLE_BYTES, problems)
    if content is None:
        return Reading(problems=problems.all())
    try:
        found = parse(content, path.rpartition("/")[2])
    except FormatError as error:
        problems.add_error(error)
        return Reading(problems=problems.all())
    picked = pick(found) if isinstance(found, dict) else None
    if not isinstance(picked, dict):
        return Reading(is_foreign=True)
    return Reading(parameters=flat_parameters(picked, problems), problems=problems.all())
