"""Whether a SavedModel's variables are those that it was saved with, by its `fingerprint.pb` (since TensorFlow 2.12).

The fingerprint keeps a hash of `variables.index`, which holds the checksum of each tensor. TensorFlow itself loads
variables of another save without a word. Format:
https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/core/protobuf/fingerprint.proto.
"""

from collections.abc import Collection

from core.base.errors import FormatError
from core.formats.farm_fingerprint import fingerprint64
from core.formats.varint import read_varint
from core.stores.store import Store

FINGERPRINT = "fingerprint.pb"
_HASH_OF_INDEX, _VARINT, _TEXT = 5, 0, 2  # a field's number, and wire types
_MAX_FINGERPRINT, _MAX_INDEX = 4_096, 4 << 20  # bytes; of a larger index a hash takes too long


def fits(store: Store, folder: str, index: str, names: Collection[str]) -> bool | None:
    """Whether the index is the one that was saved with the model; None where nothing tells."""
    if FINGERPRINT not in names or index not in names:
        return None
    place = f"{folder}/" if folder else ""
    try:
        wanted = _hash_of_index(store.read(f"{place}{FINGERPRINT}", _MAX_FINGERPRINT))
    except OSError:  # nothing but this reads it
        return None
    content = store.read(f"{place}{index}", _MAX_INDEX + 1)
    return None if wanted is None or len(content) > _MAX_INDEX else fingerprint64(content) == wanted


def _hash_of_index(message: bytes) -> int | None:
    at = 0
    try:
        while at < len(message):
            tag, at = read_varint(message, at, section=FINGERPRINT)
            if tag & 7 not in (_VARINT, _TEXT):
                return None
            value, at = read_varint(message, at, section=FINGERPRINT)
            if tag == _HASH_OF_INDEX << 3 | _VARINT:
                return value
            at += value if tag & 7 == _TEXT else 0
    except FormatError:
        return None
    return None
