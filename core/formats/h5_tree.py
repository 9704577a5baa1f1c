"""What an HDF5 file holds, read without the C library in this process: its superblock here, its tree in a worker.

Superblock: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html#Superblock. It stands at offset 0, 512,
1,024, 2,048 …; its end-of-file address, counted from the file's start, is what a whole file is long.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from core.base.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from core.stores.store import Store
from core.workers import parser_pool

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SECTION = "superblock"
LAST_START = 1 << 20  # no Keras file has a longer user block
UNDEFINED = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One dataset: `offset` is its place in the file that holds it, `value` that of an integer scalar."""

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    bytes: int
    offset: int | None = None
    value: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A file's datasets and the few attributes by which Keras' files are known.

    `groups` are those of the first two levels, `weight_groups` those among them with the attribute weight_names,
    `marks` the root's attributes that need not be read, `titles` the names that `vars` groups with a counter carry,
    `faults` why Keras cannot use the root's configs, `broken` what it asks for and does not get.
    """

    datasets: tuple[Dataset, ...] = ()
    groups: frozenset[str] = frozenset()
    weight_groups: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    broken: FormatError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an HDF5 file lies: a whole file, or `length` bytes from `offset` of one (a stored member of a zip)."""

    path: str
    offset: int | None = None
    length: int | None = None


def is_hdf5(head: bytes) -> bool:
    """True if a file's first bytes are HDF5's signature (a user block before it is not looked past)."""
    return head.startswith(SIGNATURE)


def check_end(file: BinaryIO, length: int, start: int = 0) -> int:
    """The end-of-file address, which the file must reach. The file's bytes begin at `start`.

    Raises TruncatedError for a file that ends before it, CorruptError for one without a superblock.
    """
    if length == 0:
        raise TruncatedError("the file is empty", section=SECTION, offset=0)
    at = 0
    while at <= LAST_START and at + len(SIGNATURE) <= length:
        file.seek(start + at)
        head = file.read(min(96, length - at))
        if head.startswith(SIGNATURE):
            end = _end_address(head, at)
            if end > length:
                why = f"the file has {length:,} of the {end:,} bytes that it was closed with"
                raise TruncatedError(why, section=SECTION, offset=at)
            return end  # bytes behind it are nobody's: the library does not look at them
        at = at * 2 or 512
    file.seek(start)
    if SIGNATURE.startswith(file.read(len(SIGNATURE))[:length]):
        raise TruncatedError("the file ends in its signature", section=SECTION, offset=0)
    raise CorruptError("no HDF5 signature", section=SECTION, offset=0)


def _end_address(head: bytes, at: int) -> int:
    """The end-of-file address of a superblock: versions 0 and 1 have it after two addresses, 2 and 3 likewise."""
    if len(head) < 16:
        raise TruncatedError("the file ends in its superblock", section=SECTION, offset=at)
    version = head[8]
    if version > 3:
        raise UnsupportedError(f"superblock version {version}", section=SECTION, offset=at + 8)
    size = head[13] if version < 2 else head[9]
    if size not in (2, 4, 8):
        raise CorruptError(f"addresses of {size} bytes", section=SECTION, offset=at + (13 if version < 2 else 9))
    if version == 3 and head[11] & 1:
        raise TruncatedError("it is open for writing, or its writer was killed", section=SECTION, offset=at + 11)
    first = (24, 28, 12, 12)[version]
    field_bytes = head[first + 2 * size : first + 3 * size]
    if len(field_bytes) < size:
        raise TruncatedError("the file ends in its superblock", section=SECTION, offset=at)
    if field_bytes == bytes([UNDEFINED]) * size:
        raise TruncatedError("its writer never closed it", section=SECTION, offset=at)
    return int.from_bytes(field_bytes, "little")


def read_many(store: Store, places: Sequence[Place]) -> Iterator[Tree | FormatError | OSError]:
    """Each file's tree or what was wrong with it, in their order, by one worker in one go."""
    lengths: list[int] = []
    early: dict[int, FormatError | OSError] = {}
    requests: list[dict[str, Any]] = []
    for number, place in enumerate(places):
        length = place.length
        try:
            with store.open(place.path) as file:
                if length is None:
                    length = file.seek(0, 2)
                check_end(file, length, place.offset or 0)
        except (FormatError, OSError) as error:
            early[number] = error
            continue
        lengths.append(length)
        requests.append({"path": store.absolute(place.path), "offset": place.offset, "length": length})
    answers = zip(lengths, parser_pool.POOL.run(requests), strict=True)
    for number, place in enumerate(places):
        yield early[number] if number in early else _taken(*next(answers), place.offset or 0)


def read(store: Store, place: Place) -> Tree:
    """One file's tree; see `read_many`. Raises what was wrong."""
    (found,) = read_many(store, (place,))
    if isinstance(found, Exception):
        raise found
    return found


def _taken(length: int, answer: dict[str, Any] | FormatError, start: int) -> Tree | FormatError:
    """A worker's answer as a record; it may have been made by a hostile file, so that its types are checked."""
    if isinstance(answer, FormatError):
        return answer
    try:
        found = answer["tree"]
        datasets = tuple(sorted((_dataset(row, length, start) for row in found["datasets"]), key=_by_name))
        return Tree(
            datasets=datasets,
            groups=_texts(found["groups"]),
            weight_groups=_texts(found["weight_groups"]),
            marks=_texts(found["marks"]),
            attributes={str(key): str(value) for key, value in found["attributes"].items()},
            titles={str(key): str(value) for key, value in found["titles"].items()},
            faults={str(key): str(value) for key, value in found["faults"].items()},
            broken=None if found["broken"] is None else _error(*found["broken"]),
        )
    except FormatError as error:
        return error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return CorruptError(f"its tree makes no sense ({type(error).__name__})", section="tree")


def _error(kind: str, name: str, why: str) -> FormatError:
    return parser_pool.KINDS[kind](str(why), section=f"/{name}")


def _by_name(dataset: Dataset) -> str:
    return dataset.name


def _texts(values: list[Any]) -> frozenset[str]:
    return frozenset(str(value) for value in values)


def _dataset(row: list[Any], length: int, start: int) -> Dataset:
    name, dtype, shape, size, offset, value = row
    if offset is not None and int(offset) + int(size) > length:
        raise TruncatedError(f"{name!r} lies beyond the file's end", section="dataset", offset=int(offset))
    return Dataset(
        name=str(name),
        dtype=str(dtype),
        shape=None if shape is None else tuple(int(extent) for extent in shape),
        bytes=int(size),
        offset=None if offset is None else start + int(offset),
        value=None if value is None else int(value),
    )
