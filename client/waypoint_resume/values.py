"""Python values as JSON and arrays, exactly, and back: numbers with their types, NaN, tuples, arrays. Never pickle.

What JSON has no form for stands as an object with one key that begins with `$`. Long arrays go into files of their own,
one for each list of arrays (`$arrays`), named by what it holds, so that what stays the same is stored once.
"""

from __future__ import annotations

import base64
import hashlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

LONG = 16 << 10  # bytes from which arrays go into a file of their own
MOST = 8 << 30  # bytes of one list of arrays: more is refused
_DEEPEST = 24
_KINDS = "biufcV"  # kinds of NumPy types that are plain numbers; V: ml_dtypes' bfloat16 and float8
Arrays = dict[str, list[Any]]  # lists of arrays by the digest of what they hold


class UnkeptError(ValueError):
    """A value that cannot be kept, or a text that is none of ours; the message says what it is."""


class Unchanging:
    """A value that nobody changes in place: it is encoded, and its arrays are hashed, once however often it is kept."""

    def __init__(self, value: Any) -> None:  # noqa: ANN401
        self.value = value
        self._known: tuple[Any, Arrays] | None = None

    def encoded(self, arrays: Arrays, depth: int) -> Any:  # noqa: ANN401
        """As `encode` does it."""
        if self._known is None:
            own: Arrays = {}
            self._known = encode(self.value, own, depth), own
        arrays.update(self._known[1])
        return self._known[0]


def encode(value: Any, arrays: Arrays, depth: int = 0) -> Any:  # noqa: ANN401 - any value
    """A value as JSON; long arrays are added to `arrays`. UnkeptError for what is no plain data."""
    if depth > _DEEPEST:
        raise UnkeptError("nested too deeply")
    if value is None or isinstance(value, (bool, str, bytes)) or type(value) in (int, float):
        return _encode_plain(value)
    if isinstance(value, Unchanging):
        return value.encoded(arrays, depth)
    if isinstance(value, Mapping):
        return _encode_mapping(value, arrays, depth)
    if isinstance(value, (list, tuple)):
        if value and all(_is_array(item) for item in value) and _bytes_of(value) >= LONG:
            inner: Any = _into_file([_array(item) for item in value], arrays)
        else:
            inner = [encode(item, arrays, depth + 1) for item in value]
        return {"$tuple": inner} if isinstance(value, tuple) else inner
    return _encode_array(value, arrays)


def decode(value: Any, read: Callable[[str], Sequence[bytes]], depth: int = 0) -> Any:  # noqa: ANN401 - any JSON
    """What `encode` was given. `read` gives the arrays' bytes of a file. UnkeptError for what it does not write."""
    if depth > _DEEPEST:
        raise UnkeptError("nested too deeply")
    if isinstance(value, list):
        return [decode(item, read, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not next(iter(value)).startswith("$"):
        return {name: decode(item, read, depth + 1) for name, item in value.items()}
    ((kind, inner),) = value.items()
    if kind == "$tuple":
        return tuple(decode(inner, read, depth + 1))
    if kind == "$items":
        return {decode(key, read, depth + 1): decode(item, read, depth + 1) for key, item in inner}
    try:
        return _decode_plain(kind, inner, read)
    except (TypeError, ValueError, KeyError, AttributeError, ImportError, MemoryError) as error:
        raise UnkeptError(f"{kind} cannot be read: {error}") from error


def files_of(value: Any) -> set[str]:  # noqa: ANN401 - any JSON
    """The names of the files of arrays that an encoded value refers to."""
    if isinstance(value, list):
        return {name for item in value for name in files_of(item)}
    if not isinstance(value, dict):
        return set()
    own = value.get("$arrays")
    if isinstance(own, dict) and isinstance(own.get("file"), str):
        return {own["file"]}
    return {name for item in value.values() for name in files_of(item)}


def _encode_plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, bytes):
        return {"$bytes": _text(value)}
    if type(value) is int and abs(value) >= 2**63:
        return {"$int": hex(value)}
    return {"$float": repr(value)} if type(value) is float and not math.isfinite(value) else value


def _encode_mapping(value: Mapping[Any, Any], arrays: Arrays, depth: int) -> Any:  # noqa: ANN401
    if all(isinstance(name, str) and not name.startswith("$") for name in value):
        return {name: encode(item, arrays, depth + 1) for name, item in value.items()}
    return {"$items": [[encode(k, arrays, depth + 1), encode(v, arrays, depth + 1)] for k, v in value.items()]}


def _encode_array(value: Any, arrays: Arrays) -> Any:  # noqa: ANN401
    if not _is_array(value):
        raise UnkeptError(f"a {type(value).__module__}.{type(value).__qualname__}")
    array = _array(value)
    if array.nbytes >= LONG:
        return {"$array": _into_file([array], arrays)}
    kind = "$scalar" if _is_scalar(value) else "$array"
    return {kind: {**_described(array), "bytes": _text(array.tobytes())}}


def _decode_plain(kind: str, inner: Any, read: Callable[[str], Sequence[bytes]]) -> Any:  # noqa: ANN401
    if kind == "$int":
        return int(inner, 16)
    if kind == "$float":
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[inner]
    if kind == "$bytes":
        return base64.b64decode(inner, validate=True)
    if kind == "$arrays":
        stored = read(inner["file"])
        if len(stored) != len(inner["arrays"]):
            raise UnkeptError(f"{inner['file']} holds {len(stored)} arrays instead of {len(inner['arrays'])}")
        return [_made(data, told) for data, told in zip(stored, inner["arrays"])]
    if kind == "$array" and "$arrays" in inner:
        return _decode_plain("$arrays", inner["$arrays"], read)[0]
    if kind in ("$array", "$scalar"):
        array = _made(base64.b64decode(inner["bytes"], validate=True), inner)
        return array if kind == "$array" else array[()]
    raise UnkeptError(f"{kind} is unknown here")


def _into_file(arrays: list[Any], into: Arrays) -> dict[str, Any]:
    if sum(array.nbytes for array in arrays) > MOST:
        raise UnkeptError(f"more than {MOST:,} bytes of arrays")
    total, told = hashlib.sha256(), [_described(array) for array in arrays]
    for array, words in zip(arrays, told):
        total.update(repr(words).encode())
        total.update(_raw(array))
    name = total.hexdigest()[:32]
    into[name] = [_raw(array) for array in arrays]
    return {"$arrays": {"file": name, "arrays": told}}


def _is_scalar(value: object) -> bool:
    import numpy as np

    return isinstance(value, np.generic) or getattr(value, "shape", None) == ()


def _is_array(value: object) -> bool:
    """Whether a value is an array or a scalar of NumPy, or a tensor or variable that gives one."""
    if "numpy" not in sys.modules or isinstance(value, (int, float, str, bytes)) or not hasattr(value, "dtype"):
        return False
    return hasattr(value, "shape") and (hasattr(value, "__array__") or hasattr(value, "numpy"))


def _array(value: Any) -> Any:  # noqa: ANN401
    import numpy as np

    array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    if array.dtype.kind not in _KINDS or (array.dtype.kind == "V" and array.dtype.names is not None):
        raise UnkeptError(f"an array of {array.dtype}")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _raw(array: Any) -> Any:  # noqa: ANN401
    """An array's bytes as an array of bytes, without a copy where it is contiguous."""
    import numpy as np

    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _described(array: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"dtype": array.dtype.name, "shape": list(array.shape)}


def _made(data: Any, told: Mapping[str, Any]) -> Any:  # noqa: ANN401
    import numpy as np

    if "ml_dtypes" not in sys.modules and told["dtype"] not in np.sctypeDict:
        import ml_dtypes  # noqa: F401 - makes the names of bfloat16 and float8 known to NumPy
    dtype, shape = np.dtype(told["dtype"]), tuple(told["shape"])
    if dtype.kind not in _KINDS or not all(type(size) is int and size >= 0 for size in shape):
        raise UnkeptError(f"an array of {told['dtype']} {shape}")
    return np.frombuffer(bytearray(data), dtype=dtype).reshape(shape)


def _bytes_of(values: Sequence[Any]) -> int:
    return sum(_array(value).nbytes for value in values)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
