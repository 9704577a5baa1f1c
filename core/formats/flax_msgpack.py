"""Trees of arrays in MessagePack, as `flax.serialization.to_bytes` writes them: `*.msgpack`, `checkpoint_100`.

Format: https://github.com/google/flax/blob/main/flax/serialization.py. An array is an extension of kind 1 that holds
[shape, dtype, bytes]; one of more than a gigabyte is a table of chunks. Nothing is made of what an extension holds.
"""

import io
import math
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from core.base.errors import CorruptError, UnsupportedError
from core.base.facts import Contents, Facts, Format, Role, Sourced, Variable
from core.formats import msgpack
from core.formats.dtypes import INTEGERS, SIZES
from core.formats.fingerprint import LARGEST, check_sums, fingerprint, parameters, role_bytes
from core.formats.msgpack import Bytes, Value
from core.formats.orbax_tree import Leaf
from core.formats.spec import ALL_ROLES, BundleCache, FolderFiles, FormatSpec, Group, Reading, Unit
from core.formats.told import Listed, Told
from core.stores.store import Store

ENDING = ".msgpack"
ARRAY, SCALAR = 1, 3  # kinds of extensions
CHUNKED = "__msgpack_chunked_array__"
NOT_FLAX = "a tree without arrays is no checkpoint of Flax"
NO_ROLES = "its keys do not tell weights from the rest"
NO_STEP = "the tree counts no steps"
MAX_VARIABLES = 200_000
_LEGACY = re.compile(r".*checkpoint_\d+", re.DOTALL)  # flax.training.checkpoints.save_checkpoint
_HEAD = 4096  # bytes of an extension in which its shape and dtype stand
_RANK = 64
_KIND = "msgpack"


class Array(NamedTuple):
    """What an array's extension says: its dtype, its shape, how many bytes its values have, and where they begin."""

    dtype: str
    shape: tuple[int, ...]
    bytes: int
    offset: int


def group(folder: FolderFiles) -> Iterator[Group]:
    """Single files, by names that others use too: content tells."""
    for name in list(folder.files):
        base = name.rpartition("/")[2]
        if (base.endswith(ENDING) and base != ENDING) or _LEGACY.fullmatch(base):
            yield Group(name=name, format=Format.FLAX_MSGPACK, files=(folder.take(name),))


def read(store: Store, unit: Unit, _cache: BundleCache) -> Reading:
    """The arrays of a tree. UnsupportedError where there are none."""
    size = unit.files[unit.name].size
    with store.open(unit.path) as file:
        tree = msgpack.parse_file(file, size, unit.name, is_known=_is_array)
        found = list(_arrays(file, tree, unit.name))
        if not found:
            raise UnsupportedError(NOT_FLAX, section="tree")
        step = _step(file, tree, found, unit.name)
    variables = tuple(_variable(keys, array) for keys, array in found)
    check_sums(variables, unit.name)
    roles = {one.role for one in variables}
    facts = Facts(
        contents=_contents(roles),
        contents_reason=None if Role.WEIGHT in roles else NO_ROLES,
        has_optimizer=Role.OPTIMIZER in roles,
        step=step,
        step_reason=None if step else NO_STEP,
        variables=len(variables),
        parameters=parameters(variables) if Role.WEIGHT in roles else None,
        role_bytes=role_bytes(variables),
        fingerprint=fingerprint(variables),
        writer="Flax",
    )
    return Reading(format=unit.format, facts=facts, variables=variables)


def is_foreign(_unit: Unit, error: Exception) -> bool:
    """Another tool's file: no MessagePack at all, or a tree without arrays."""
    return isinstance(error, UnsupportedError) and error.section == "tree"


def _is_array(value: Bytes) -> bool:
    return value.kind in (ARRAY, SCALAR)


def _contents(roles: set[Role]) -> Contents:
    if Role.WEIGHT not in roles:
        return Contents.UNKNOWN
    return Contents.WEIGHTS_AND_OPTIMIZER if Role.OPTIMIZER in roles else Contents.WEIGHTS_ONLY


def _variable(keys: tuple[str, ...], array: Array) -> Variable:
    role = Leaf(keys, _KIND).role
    return Variable(
        name="/".join(keys),
        dtype=array.dtype,
        shape=array.shape,
        bytes=array.bytes,
        role=role,
        offset=array.offset,
        parameters=math.prod(array.shape) if role is Role.WEIGHT else 0,
    )


def _arrays(file: BinaryIO, tree: Value, section: str) -> Iterator[tuple[tuple[str, ...], Array]]:
    """Every array with its keys from the root on."""
    waiting: list[tuple[tuple[str, ...], Value]] = [((), tree)]
    while waiting:
        keys, value = waiting.pop()
        if isinstance(value, Bytes) and _is_array(value):
            yield keys, _array(file, value, section)
        elif isinstance(value, dict) and value.get(CHUNKED) is True:
            yield keys, _joined(file, value, section)
        elif isinstance(value, dict):
            waiting += [((*keys, key), part) for key, part in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [((*keys, str(number)), part) for number, part in reversed(list(enumerate(value)))]


def _array(file: BinaryIO, value: Bytes, section: str) -> Array:
    """What an extension says of its array; its values are not read."""
    file.seek(value.offset)
    head = file.read(min(value.length, _HEAD))
    said = msgpack.parse_file(io.BytesIO(head), value.length, section)
    if not isinstance(said, list) or len(said) != 3:
        raise CorruptError("an array that is described in no known way", section=section, offset=value.offset)
    shape, dtype, values = said
    if not _is_shape(shape) or not isinstance(dtype, str) or not isinstance(values, Bytes):
        raise CorruptError("an array without shape, dtype and values", section=section, offset=value.offset)
    sides = tuple(side for side in shape if isinstance(side, int)) if isinstance(shape, list) else ()
    if dtype not in SIZES:
        raise UnsupportedError(f"an array of the dtype {dtype[:40]!r}", section=section, offset=value.offset)
    if math.prod(sides) * SIZES[dtype] != values.length:
        raise CorruptError("an array whose bytes are not those of its shape", section=section, offset=value.offset)
    return Array(dtype, sides, values.length, value.offset + values.offset)


def _joined(file: BinaryIO, value: dict[str, Value], section: str) -> Array:
    """An array that was cut into chunks, which follow each other."""
    shape, chunks = value.get("shape"), value.get("chunks")
    sides = list(shape.values()) if isinstance(shape, dict) else None
    parts = list(chunks.values()) if isinstance(chunks, dict) else []
    if not _is_shape(sides) or not parts or not all(isinstance(part, Bytes) and _is_array(part) for part in parts):
        raise CorruptError("an array in chunks that has none", section=section)
    found = [_array(file, part, section) for part in parts if isinstance(part, Bytes)]
    whole = tuple(side for side in sides or () if isinstance(side, int))
    if sum(math.prod(part.shape) for part in found) != math.prod(whole):
        raise CorruptError("an array whose chunks are not all there", section=section)
    return Array(found[0].dtype, whole, sum(part.bytes for part in found), found[0].offset)


def _is_shape(sides: object) -> bool:
    if not isinstance(sides, list) or len(sides) > _RANK:
        return False
    return all(type(side) is int and 0 <= side <= LARGEST for side in sides)


def _step(file: BinaryIO, tree: Value, arrays: list[tuple[tuple[str, ...], Array]], section: str) -> Sourced | None:
    """The step of a TrainState: a number at the top of the tree, or an array of one integer."""
    del section
    for name in ("step", "global_step"):
        value = tree.get(name) if isinstance(tree, dict) else None
        if type(value) is int and 0 <= value < 1 << 63:
            return Sourced(value=value, source=name)
    for keys, array in arrays:
        if len(keys) == 1 and Leaf(keys, _KIND).counts and array.shape == () and array.dtype in INTEGERS:
            file.seek(array.offset)
            number = int.from_bytes(file.read(array.bytes), "little", signed=array.dtype.startswith("int"))
            if 0 <= number < 1 << 63:
                return Sourced(value=number, source=keys[0])
    return None


SPEC = FormatSpec(
    format=Format.FLAX_MSGPACK,
    label="Flax msgpack",
    told=Told(
        "one file `NAME.msgpack` or `checkpoint_N` that holds a tree of arrays",
        "the tree, each array's shape and dtype, the step",
        "offset",
        limits=f"{msgpack.MAX_VALUES:,} values, {msgpack.MAX_DEPTH} levels, {msgpack.MAX_TEXT >> 20} MiB of text",
    ),
    roles=ALL_ROLES,
    group=group,
    read=read,
    is_foreign=is_foreign,
    lookalike_files=1,
    verifier=None,
    trial=None,
    restoring=None,
    listed=Listed(r".+\.msgpack|.*checkpoint_\d+", "MessagePack, as Flax writes it", msgpack.MAPS),
)
