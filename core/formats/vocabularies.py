"""The vocabularies of Keras' lookup layers: text files below `assets/`, for each layer whose config holds none.

A StringLookup or IntegerLookup has one, a TextVectorization one of its own and one of the lookup inside it. Where some
are there, load_model refuses to do without another; where none is, it makes layers that know no word. Source:
https://github.com/keras-team/keras/blob/v3.15.1/keras/src/layers/preprocessing/index_lookup.py (load_assets).
"""

from collections.abc import Callable, Collection

from core.base.errors import CorruptError, TruncatedError, UnsupportedError

ASSETS = "assets/"
NOT_TOLD = "Not told: what its assets hold."
MAX_VOCABULARY = 8 << 20  # bytes; of a longer one only that it is there is known
_FILE = "/vocabulary.txt"
_FILES = {"StringLookup": 1, "IntegerLookup": 1, "TextVectorization": 2}  # of each layer, by its class


def check(config: object, names: Collection[str], read: Callable[[str], bytes | None]) -> None:
    """Raises a FormatError for a vocabulary that is missing or that Keras cannot read.

    `config` is the model's, None where it is not known; `names` are the files beside it; `read` gives a file's content,
    None for one that is too long to be looked into.
    """
    there = [name for name in sorted(names) if name.startswith(ASSETS) and name.endswith(_FILE)]
    needed = sum(_needed(config).values())
    if needed and not there:
        raise UnsupportedError(f"the {needed:,} vocabularies of its layers are missing", section=ASSETS)
    if len(there) < needed:
        raise TruncatedError(f"{len(there):,} of {needed:,} vocabularies of its layers are there", section=ASSETS)
    for name in there:
        content = read(name)
        if content is not None:
            _check_text(content, name)


def _needed(config: object) -> dict[tuple[str, str], int]:
    """How many files each layer has that keeps its vocabulary in some, by class and name: one may stand twice."""
    found: dict[tuple[str, str], int] = {}
    waiting = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            kind, inner = one.get("class_name"), one.get("config")
            if isinstance(kind, str) and kind in _FILES and isinstance(inner, dict):
                is_elsewhere = inner.get("vocabulary", "") is None  # than in the config
                found[kind, str(inner.get("name"))] = _FILES[kind] if is_elsewhere else 0
            waiting += one.values()
    return found


def _check_text(content: bytes, name: str) -> None:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise CorruptError(f"no UTF-8: {error.reason}", section=name, offset=error.start) from error
    if not text.strip("\n"):
        raise TruncatedError("it holds no word", section=name, offset=0)
