"""The arrays of one Orbax item: in an OCDBT database as a rule, each in a folder of its own without one.

A database or array of a kind that is not read leaves shapes unknown; damage is raised.
"""

from collections.abc import Collection, Mapping

from core.base.errors import FormatError, TooLargeError, TruncatedError, UnsupportedError
from core.formats import ocdbt, zarr
from core.formats.ocdbt import MANIFEST, Value
from core.stores.store import Store


class _Item:
    """An item's files: read only where the listing has them, and never past their ends."""

    def __init__(self, store: Store, folder: str, names: Collection[str]) -> None:
        self.store, self.folder, self.names = store, folder, names
        self.sizes: dict[str, int] = {}

    def path(self, name: str) -> str:
        """Where a file lies below the root."""
        return f"{self.folder}/{name}" if self.folder else name

    def check(self, name: str, end: int) -> None:
        """TruncatedError for a file that is missing or shorter than `end`."""
        if name not in self.names:
            raise TruncatedError("it is missing", section=name)
        if name not in self.sizes:
            self.sizes[name] = self.store.stat(self.path(name)).size
        if end > self.sizes[name]:
            raise TruncatedError(f"{self.sizes[name]:,} of at least {end:,} bytes", section=name)

    def fetch(self, name: str, offset: int, most: int) -> bytes:
        """Bytes of a file."""
        self.check(name, offset if name == MANIFEST else offset + most)
        return self.store.read_ranges(self.path(name), [(offset, most)])[0]

    def value(self, value: Value) -> bytes:
        """A value's bytes."""
        return self.fetch(value.file, value.offset, value.length) if value.content is None else value.content

    def plain(self) -> dict[str, Value]:
        """The files of arrays that lie in folders of their own, each as a value."""
        folders = {name.rpartition("/")[0] for name in self.names if name.endswith(zarr.DESCRIPTIONS)}
        found = [name for name in self.names if not folders.isdisjoint(_above(name))]
        values = {name: Value(name, 0, self.store.stat(self.path(name)).size) for name in found}
        for name, value in values.items():
            if not value.length:
                raise TruncatedError("it has no bytes", section=name)
        return values


def _above(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


class Arrays:
    """An item's arrays by name; `is_known` is False for a database of a kind that is not read."""

    def __init__(self, item: _Item, values: Mapping[str, Value], *, is_known: bool = True) -> None:
        self._item, self._values = item, values
        self.is_known = is_known
        self.by_name = zarr.arrays(values, item.value)

    @property
    def is_zarr3(self) -> bool:
        """Whether they are of Zarr's third version."""
        return any(name.endswith("/zarr.json") for name in self._values)

    def integer(self, name: str) -> int | None:
        """The value of an integer scalar; None for another array, and where it cannot be decoded."""
        array = self.by_name.get(name)
        return None if array is None else zarr.integer(name, array, self._values, self._item.value)


def find(store: Store, folder: str, names: Collection[str]) -> Arrays:
    """The arrays of the item in `folder`, of which `names` are the files. Raises TruncatedError where values are
    missing, CorruptError where a checksum does not fit.
    """
    item = _Item(store, folder, names)
    try:
        values = ocdbt.read(item.fetch) if MANIFEST in names else item.plain()
        ends: dict[str, int] = {}
        for value in values.values():
            if value.content is None:
                ends[value.file] = max(ends.get(value.file, 0), value.offset + value.length)
        for name, end in ends.items():
            item.check(name, end)
        return Arrays(item, values)
    except (TooLargeError, UnsupportedError):
        return Arrays(item, {}, is_known=False)


def committed_ns(store: Store, folder: str, names: Collection[str]) -> int:
    """When the database of the item in `folder` was written last, nanoseconds since 1970; 0 where it does not tell."""
    item = _Item(store, folder, names)
    try:
        return ocdbt.committed_ns(item.fetch) if MANIFEST in names else 0
    except FormatError:
        return 0
