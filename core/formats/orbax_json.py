"""The JSON of Orbax steps: a file's value, and what a step says of itself."""

from collections.abc import Collection
from typing import Any

from core.base.errors import CorruptError, FormatError, TooLargeError
from core.formats.json_text import parse
from core.stores.store import Store

METADATA = "_CHECKPOINT_METADATA"
MAX_JSON = 64 << 20  # bytes; a variable takes about 300
# What a CheckpointManager takes of a step's metadata; of another type it opens none of the folder's steps.
_TYPES = {
    "item_handlers": (dict, str),
    "performance_metrics": (dict,),
    "init_timestamp_nsecs": (int,),
    "commit_timestamp_nsecs": (int,),
    "custom_metadata": (dict,),
}


def json_object(store: Store, folder: str, name: str) -> dict[str, Any]:
    """A JSON file's object."""
    found = json_value(store, folder, name)
    if not isinstance(found, dict):
        raise CorruptError("it is no object", section=name, offset=0)
    return found


def top_metadata(store: Store, folder: str, names: Collection[str]) -> dict[str, Any]:
    """What the step says of itself; nothing where that cannot be read, for no restore needs it."""
    if METADATA in names:
        try:
            return json_object(store, folder, METADATA)
        except TooLargeError:
            raise
        except FormatError:
            return {}
    return {}


def unopenable(store: Store, folder: str, names: Collection[str]) -> str | None:
    """Why no CheckpointManager opens a folder with this step in it, by what the step says of itself; None where one
    does. What is no JSON at all stops none.
    """
    if METADATA not in names:
        return None
    try:
        found = json_value(store, folder, METADATA)
    except FormatError:
        return None
    if found is not None and not isinstance(found, dict):
        return "it is no object"
    wrong = [
        key
        for key, types in _TYPES.items()
        if found and found.get(key) is not None and not isinstance(found[key], types)
    ]
    return f"its {wrong[0]} is of another type than Orbax writes" if wrong else None


def json_value(store: Store, folder: str, name: str, *, stops_at_nul: bool = False) -> Any:  # noqa: ANN401 (JSON is anything)
    """A JSON file's value. TensorStore, which reads some of these files, stops at a NUL as it does at the end."""
    content = content_of(store, folder, name)
    return parse(content.partition(b"\0")[0] if stops_at_nul else content, name)


def content_of(store: Store, folder: str, name: str) -> bytes:
    """A file's bytes. TooLargeError where they are more than are read."""
    with store.open(f"{folder}/{name}" if folder else name) as file:
        content = file.read(MAX_JSON + 1)
    if len(content) > MAX_JSON:
        raise TooLargeError(f"more than {MAX_JSON:,} bytes", section=name, offset=MAX_JSON)
    return content
