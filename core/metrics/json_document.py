"""Metrics in one JSON document: a Keras History as a mapping of lists, Hugging Face's trainer_state.json, a list of
entries, or the last values with their step (DVCLive's metrics.json, wandb-summary.json).
"""

from __future__ import annotations

from collections.abc import Mapping

from core.base.errors import FormatError
from core.formats.json_text import parse
from core.metrics.columns import SeriesBuilder
from core.metrics.json_points import add_object, number
from core.metrics.limits import MOST_DOCUMENT_BYTES
from core.metrics.parameters import bounded
from core.metrics.problems import Problems
from core.metrics.records import Reading, XKind
from core.metrics.whole_files import read_whole
from core.metrics.x_names import counters_in
from core.stores.store import Store

_ENTRIES = ("log_history", "history")


def read_document(store: Store, path: str) -> Reading:
    """All of it."""
    problems = Problems(path)
    content = read_whole(store, path, MOST_DOCUMENT_BYTES, problems)
    if content is None or not content.strip():
        return Reading(problems=problems.all())
    builder = SeriesBuilder(problems)
    try:
        is_ours = _add(builder, parse(content, path.rpartition("/")[2]))
    except FormatError as error:
        problems.add_error(error)
        return Reading(problems=problems.all())
    return Reading(series=builder.series(), problems=problems.all()) if is_ours else Reading(is_foreign=True)


def _add(builder: SeriesBuilder, found: object) -> bool:
    """Add what a document tells; False for another tool's."""
    if isinstance(found, list):
        return any([add_object(builder, one) for one in found if isinstance(one, dict)])  # noqa: C419 - all of them
    if not isinstance(found, dict):
        return False
    entries = next((found[name] for name in _ENTRIES if isinstance(found.get(name), dict | list)), None)
    if entries is not None:
        return _add(builder, entries)
    return _add_history(builder, found) or add_object(builder, found)


def _add_history(builder: SeriesBuilder, found: Mapping[str, object]) -> bool:
    """Add lists of numbers of one length, an epoch each: counted from 0, or as a list among them says."""
    lists = {name: value for name, value in found.items() if isinstance(value, list) and value}
    longest = max(map(len, lists.values()), default=0)
    columns = {
        name: value for name, value in lists.items() if all(number(one) is not None or one is None for one in value)
    }
    if not columns or len(columns) < len(lists) or len(found) > len(lists) + 1:
        return False
    counter = next(iter(counters_in([name for name in columns if len(columns[name]) == longest])), None)
    if len(columns) == (counter is not None):
        return False
    name, kind = counter or ("", XKind.EPOCH)
    counts = columns.pop(name, list(range(longest)))
    for tag, values in columns.items():
        # A metric that began later, as a learning rate's from its callback on, ends with the others.
        for x, value in zip(counts[longest - len(values) :] if len(values) < longest else counts, values, strict=True):
            at, measured = number(x), number(value)
            if at is not None and measured is not None:
                builder.add(bounded(tag), kind, at, measured)
    return True
