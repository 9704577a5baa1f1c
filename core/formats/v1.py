"""TensorFlow 1's V1 checkpoint: one file, a table whose values hold the tensors themselves.

The key '' holds the names, shapes, types and slices of all variables; every other key is a variable's name with a
slice, and its value that slice's data. Read are the first block and the one that holds `global_step`; where a tensor
lies is not told. Source: tensorflow/core/util/saved_tensor_slice.proto and saved_tensor_slice_util.cc
"""

import math
from typing import NamedTuple

from google.protobuf.message import DecodeError

from core.base.errors import CorruptError, FormatError, TooLargeError
from core.base.facts import Contents, Facts, Role, Sourced, Variable
from core.formats import dtypes, fingerprint
from core.formats.name_based import name_roles
from core.formats.sstable import LazyTable
from core.formats.wire.saved_tensor_slice_pb2 import SavedSliceMeta, SavedTensorSlices
from core.stores.store import Store

MAX_META = 5 * 1024 * 1024  # bytes of the list of variables: in memory it takes up to forty times as many
MAX_VARIABLES = 100_000
MAX_VALUE = 1_024  # bytes of a counter with its slice
_MOST_AXES = 254
_WHOLE_SCALAR = b"\x00"  # a slice of no dimensions


def read(store: Store, path: str, size: int) -> tuple[Facts, tuple[Variable, ...]]:
    """Facts and variables of a V1 file of `size` bytes. A FormatError of section 'footer' where it is no table."""
    table = LazyTable.open(size, lambda offset, length: store.read_ranges(path, ((offset, length),))[0])
    meta = _parse(table.get(b""), MAX_META).meta
    if len(meta.tensor) > MAX_VARIABLES:
        raise TooLargeError(f"{len(meta.tensor):,} variables, more than {MAX_VARIABLES:,}", section="data block")
    tensors = {tensor.name: tensor for tensor in meta.tensor}
    roles = name_roles({name: _Described.of(tensor) for name, tensor in tensors.items()})
    variables = tuple(_variable(tensor, roles.role(name)) for name, tensor in tensors.items())
    fingerprint.check_sums(variables, "data block")
    step, reason = _step(table, roles.counters.global_step)
    contents = Contents.WEIGHTS_AND_OPTIMIZER if roles.optimizer else Contents.WEIGHTS_ONLY
    facts = Facts(
        contents=contents,
        has_optimizer=bool(roles.optimizer),
        step=step,
        step_reason=reason,
        variables=len(variables),
        parameters=fingerprint.parameters(variables),
        role_bytes=fingerprint.role_bytes(variables),
        fingerprint=fingerprint.fingerprint(variables),
    )
    return facts, variables


class _Described(NamedTuple):
    """A variable's type and shape, as the rules for names want them."""

    dtype: str
    shape: tuple[int, ...] | None

    @classmethod
    def of(cls, tensor: SavedSliceMeta) -> "_Described":
        if len(tensor.shape.dim) > _MOST_AXES:
            raise CorruptError(f"{len(tensor.shape.dim):,} axes", section="data block")
        shape = None if tensor.shape.unknown_rank else tuple(dim.size for dim in tensor.shape.dim)
        return cls(dtypes.name_of(tensor.type), shape)


def _parse(value: bytes | None, limit: int) -> SavedTensorSlices:
    if value is None:
        raise CorruptError("a key is missing", section="data block")
    if len(value) > limit:
        raise TooLargeError(f"{len(value):,} bytes, more than {limit:,}", section="data block")
    try:
        return SavedTensorSlices.FromString(value)
    except DecodeError as error:
        raise CorruptError("not a SavedTensorSlices", section="data block") from error


def _variable(tensor: SavedSliceMeta, role: Role) -> Variable:
    described = _Described.of(tensor)
    count = math.prod(described.shape or ())
    return Variable(
        name=tensor.name,
        dtype=described.dtype,
        shape=described.shape,
        bytes=count * dtypes.SIZES.get(described.dtype, 0),
        role=role,
        parameters=count,
    )


def _step(table: LazyTable, names: tuple[str, ...]) -> tuple[Sourced | None, str | None]:
    """The value of the first counter, or why it is not known."""
    for name in names:
        try:
            value = _parse(table.get(_key(name)), MAX_VALUE).data.data
        except FormatError as error:
            return None, f"the step cannot be read: {error}"
        numbers = [*value.int64_val, *value.int_val]
        if numbers:
            return Sourced(numbers[0], name), None
    return None, "the file has no counter of steps"


def _key(name: str) -> bytes:
    """The key of a whole scalar: the number 0, the escaped name, the slice."""
    escaped = name.encode().replace(b"\xff", b"\xff\x00").replace(b"\x00", b"\x00\xff")
    return b"\x00" + escaped + b"\x00\x01" + _WHOLE_SCALAR
