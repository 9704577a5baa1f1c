"""Hugging Face's safetensors: a header of JSON, then the values. Listed by name, shape, dtype and bytes.

Layout: https://huggingface.co/docs/safetensors/index#format; what the library refuses is refused here:
https://github.com/huggingface/safetensors/blob/main/safetensors/src/tensor.rs. A model in several files has an index
beside them, `NAME.safetensors.index.json`, which says in which of them a tensor lies.
"""

import math
import re
from collections.abc import Iterator, Mapping

from core.base.errors import CorruptError, TooLargeError, TruncatedError
from core.base.facts import Contents, Facts, Format, Role, Shard, Variable
from core.base.files import FileStat
from core.formats.fingerprint import LARGEST, check_sums, fingerprint, role_bytes
from core.formats.json_text import parse
from core.formats.spec import BundleCache, FolderFiles, FormatSpec, Group, Reading, Unit
from core.formats.told import Listed, Told
from core.stores.store import Store
from waypoint_resume.names import join

ENDING = ".safetensors"
INDEX = ".safetensors.index.json"
MAX_HEADER = 100_000_000  # bytes: the library refuses longer ones
MAX_INDEX = 64 << 20
MAX_TENSORS = 200_000
MAX_NAME = 4096
NO_ROLES = "the format names tensors and does not tell which are weights"
NO_STEP = "the format counts no steps"
_SHARD = re.compile(r"(?P<stem>.+)-\d{5}-of-\d{5}\.safetensors", re.DOTALL)
_METADATA = "__metadata__"
_RANK = 64
_LENGTH = 8  # bytes of the header's length
# The format's names for dtypes, with ours and the bits of one value.
_DTYPES = {
    "BOOL": ("bool", 8),
    "U8": ("uint8", 8),
    "I8": ("int8", 8),
    "F4": ("float4_e2m1fn", 4),
    "F6_E2M3": ("float6_e2m3fn", 6),
    "F6_E3M2": ("float6_e3m2fn", 6),
    "F8_E5M2": ("float8_e5m2", 8),
    "F8_E4M3": ("float8_e4m3fn", 8),
    "F8_E8M0": ("float8_e8m0fnu", 8),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8),
    "I16": ("int16", 16),
    "U16": ("uint16", 16),
    "F16": ("float16", 16),
    "BF16": ("bfloat16", 16),
    "I32": ("int32", 32),
    "U32": ("uint32", 32),
    "F32": ("float32", 32),
    "C64": ("complex64", 64),
    "F64": ("float64", 64),
    "I64": ("int64", 64),
    "U64": ("uint64", 64),
}


def group(folder: FolderFiles) -> Iterator[Group]:
    """Models in several files by their indexes, then every other file by itself."""
    for index in [name for name in folder.files if name.endswith(INDEX) and name != INDEX]:
        stem = index.removesuffix(INDEX)
        shards = [name for name in folder.files if (match := _SHARD.fullmatch(name)) and match["stem"] == stem]
        files = (folder.take(index), *(folder.take(name) for name in sorted(shards)))
        yield Group(name=index, format=Format.SAFETENSORS, files=files)
    for name in [name for name in folder.files if name.endswith(ENDING) and name != ENDING]:
        yield Group(name=name, format=Format.SAFETENSORS, files=(folder.take(name),))


def is_index(name: str) -> bool:
    """Whether a file is the index of several."""
    return name.endswith(INDEX)


def read(store: Store, unit: Unit, _cache: BundleCache) -> Reading:
    """The tensors of a file, or of all files that an index names."""
    shards: tuple[Shard, ...] = ()
    if is_index(unit.name):
        named = _named_files(store, unit)
        shards = tuple(_shard(number, name, unit.files) for number, name in enumerate(named))
        there = [unit.files[name] for name in named if name in unit.files]
    else:
        there = list(unit.files.values())
    numbers = {shard.name: shard.number for shard in shards}
    variables = [one for file in there for one in tensors(store, unit.folder, file, numbers.get(file.name))]
    check_sums(variables, "header")
    facts = Facts(
        contents=Contents.UNKNOWN,
        contents_reason=NO_ROLES,
        step_reason=NO_STEP,
        variables=len(variables),
        role_bytes=role_bytes(variables),
        fingerprint=fingerprint(variables) if len(there) == max(1, len(shards)) else None,
        shards=shards,
        writer="safetensors",
    )
    return Reading(format=unit.format, facts=facts, variables=tuple(variables))


def tensors(store: Store, folder: str, file: FileStat, shard: int | None) -> Iterator[Variable]:
    """The tensors of one file in the order of their values, which follow each other without a gap to its end."""
    path, where = join(folder, file.name), file.name
    (head,) = store.read_ranges(path, [(0, _LENGTH)])
    if len(head) < _LENGTH:
        raise TruncatedError("it ends within the header's length", section=where, offset=len(head))
    length = int.from_bytes(head, "little")
    if length > MAX_HEADER:
        raise CorruptError(f"a header of {length:,} bytes, more than the format allows", section=where, offset=0)
    (text,) = store.read_ranges(path, [(_LENGTH, length)])
    if len(text) < length:
        raise TruncatedError(f"{len(text):,} of {length:,} bytes of the header", section=where, offset=_LENGTH)
    if not text.startswith(b"{"):
        raise CorruptError("the header is no object", section=where, offset=_LENGTH)
    header = parse(text, where)
    if not isinstance(header, dict):
        raise CorruptError("the header is no object", section=where, offset=_LENGTH)
    if len(header) > MAX_TENSORS:
        raise TooLargeError(f"{len(header):,} tensors, more than {MAX_TENSORS:,}", section=where)
    _check_metadata(header.pop(_METADATA, {}), where)
    found = sorted((_tensor(name, said, where) for name, said in header.items()), key=lambda one: one[:2])
    end = 0
    for start, stop, name, dtype, shape in found:
        if start != end:
            raise CorruptError(f"the values of {name!r} do not follow those before", section=where, offset=start)
        end = stop
        yield Variable(
            name=name,
            dtype=dtype,
            shape=shape,
            bytes=stop - start,
            role=Role.OTHER,
            shard=shard,
            offset=_LENGTH + length + start,
        )
    whole = _LENGTH + length + end
    if file.size < whole:
        raise TruncatedError(f"{file.size:,} of {whole:,} bytes", section=where, offset=file.size)
    if file.size > whole:  # the library refuses it too
        raise CorruptError(f"{file.size - whole:,} bytes behind the last value", section=where, offset=whole)


def _tensor(name: str, said: object, where: str) -> tuple[int, int, str, str, tuple[int, ...]]:
    """(start, end, name, dtype, shape) of one entry of the header, once they agree."""
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    if not isinstance(said, dict) or len(name) > MAX_NAME:
        raise CorruptError(f"{shown!r} is no tensor", section=where)
    kind, shape, offsets = (said.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(kind, str) or kind not in _DTYPES:
        raise CorruptError(f"{shown!r} has the dtype {str(kind)[:40]!r}, which means nothing", section=where)
    sides, places = _counts(shape), _counts(offsets)
    if sides is None or places is None or len(places) != 2:
        raise CorruptError(f"{shown!r} has a shape or a place that is none", section=where)
    (start, end), (dtype, bits) = places, _DTYPES[kind]
    if math.prod(sides) * bits != (end - start) * 8:
        raise CorruptError(f"the bytes of {shown!r} are not those of its shape", section=where)
    return start, end, name, dtype, sides


def _counts(numbers: object) -> tuple[int, ...] | None:
    """Numbers from 0 on; None for anything else that JSON can hold."""
    if not isinstance(numbers, list) or len(numbers) > _RANK:
        return None
    are = all(type(number) is int and 0 <= number <= LARGEST for number in numbers)
    return tuple(numbers) if are else None


def _check_metadata(said: object, where: str) -> None:
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise CorruptError(f"{_METADATA} is no table of texts", section=where)


def _named_files(store: Store, unit: Unit) -> list[str]:
    """The files that an index names, each once."""
    size = unit.files[unit.name].size
    if size > MAX_INDEX:
        raise TooLargeError(f"{size:,} bytes, more than {MAX_INDEX:,}", section=unit.name)
    found = parse(store.read(unit.path, MAX_INDEX), unit.name)
    places = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise CorruptError("it has no weight_map", section=unit.name)
    return sorted(set(places.values()))


def _shard(number: int, name: str, files: Mapping[str, FileStat]) -> Shard:
    """A file is as long as its own header says, which was looked at; here only whether it is there."""
    actual = files[name].size if name in files else None
    return Shard(number, name, actual, actual)


SPEC = FormatSpec(
    format=Format.SAFETENSORS,
    label="safetensors",
    told=Told(
        "one file `NAME.safetensors`, or `NAME.safetensors.index.json` and the files that it names",
        "the header: names, dtypes, shapes, places; what the library refuses is damage",
        "file, offset",
        limits=f"a header of {MAX_HEADER:,} bytes, {MAX_TENSORS:,} tensors, an index of {MAX_INDEX >> 20} MiB",
    ),
    roles=frozenset({Role.OTHER}),
    group=group,
    first_to_go=is_index,
    read=read,
    in_parts=True,
    has_shards=True,
    verifier=None,
    trial=None,
    restoring=None,
    listed=Listed(r".+\.safetensors(?:\.index\.json)?", "safetensors"),
)
