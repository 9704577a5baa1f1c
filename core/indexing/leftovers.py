"""Files of a folder that belong to no checkpoint, as records."""

from collections.abc import Iterable

from core.base.ages import is_young
from core.base.files import FileStat, Listing
from core.base.records import Leftover
from core.base.sizes import size_text
from core.runs.group import Groups
from core.runs.remains import CLOSED
from waypoint_resume.checkpoints import worker_temp
from waypoint_resume.names import join, to_text
from waypoint_resume.packed import packed_name, unpack_told

_SHOWN_FILES = 3
_TEMPORARY = "_temp"  # behind a save's prefix, the folder that TensorFlow writes its parts into


def leftovers(listing: Listing, groups: Groups, now_ns: int, grace_ns: int) -> tuple[Leftover, ...]:
    """Shards without an index and what unfinished saves left; those within the grace are being written."""
    found: list[Leftover] = []
    if listing.closed is not None:
        found.append(Leftover(path=listing.folder, rule=CLOSED, files=(), reason=f"{listing.closed}."))
    names, worker = {file.name for file in listing.files}, worker_temp(listing.folder)
    sources = (("orphan-shard", groups.shards_only, _without_index), ("interrupted-save", groups.temps, _unfinished))
    for rule, places, told in sources:
        for name, parts in places.items():
            young = is_young(max(file.mtime_ns for file in parts), now_ns, grace_ns)
            what = told(parts) if worker is None else _of_worker(parts, worker)
            reason = f"{what}: {size_text(sum(file.size for file in parts))}."
            path = join(listing.folder, name) if name else listing.folder
            packed = packed_name(f"{name}.index", names) if rule == "orphan-shard" else None
            merged = None if worker is not None else _merged(groups, name)
            if merged is not None:
                found.append(
                    Leftover(path=path, rule="unrenamed-save", files=tuple(parts), reason=merged, writing=young)
                )
            elif packed is not None:  # it is no leftover: with its index it is a checkpoint
                found.append(_packed(path, parts, packed, writing=young))
            elif rule == "interrupted-save" and worker is None and (prefix := whole_part(parts)) is not None:
                way = (
                    f"{to_text(prefix)} has index and data: if whole, TensorFlow restores it by this prefix, and "
                    "waypoint_resume goes on from it where nothing else can be restored."
                )
                found.append(Leftover(path=path, rule="unrenamed-save", files=tuple(parts), reason=way, writing=young))
            else:
                found.append(Leftover(path=path, rule=rule, files=tuple(parts), reason=reason, writing=young))
    return tuple(found)


def whole_part(files: Iterable[FileStat]) -> str | None:
    """The prefix of a save's only part in its temporary folder: with index and data, it may lack only a rename."""
    sizes = {file.name: file.size for file in files}
    for name, size in sizes.items():
        prefix = name.removesuffix(".index")
        is_only = prefix != name and prefix.rpartition("/")[2] == "part-00000-of-00001"
        if is_only and size and sizes.get(f"{prefix}.data-00000-of-00001"):
            return prefix
    return None


def _merged(groups: Groups, name: str) -> str | None:
    """What to do where a kill ended a save between the renaming of its only shard and the writing of its index: the
    part's index, which is still in the temporary folder, is that shard's. None for any other leftover.
    """
    prefix = name.removesuffix(_TEMPORARY)
    shards, parts = groups.shards_only.get(prefix, []), groups.temps.get(f"{prefix}{_TEMPORARY}", [])
    if [file.name.removeprefix(prefix) for file in shards] != [".data-00000-of-00001"] or len(parts) != 1:
        return None
    (index,) = parts
    if not index.size or not index.name.endswith("part-00000-of-00001.index"):
        return None
    return (
        f"The save was killed before it wrote its index, which {to_text(index.name)} is: moved to "
        f"{to_text(prefix)}.index, it can be restored."
    )


def _packed(path: str, files: list[FileStat], index: str, *, writing: bool) -> Leftover:
    reason = f"Its index is compressed: {unpack_told(index, ())}."
    return Leftover(path=path, rule="packed-file", files=tuple(files), reason=reason, writing=writing)


def _without_index(files: list[FileStat]) -> str:
    return f"{_listed(files)} without an index"


def _unfinished(files: list[FileStat]) -> str:
    """Their names are TensorFlow's own and tell nothing; the place is named after the save."""
    return f"{len(files):,} {'file' if len(files) == 1 else 'files'} of a save that did not finish"


def _of_worker(files: list[FileStat], folder: str) -> str:
    """A worker that is not the chief saves into a folder of its own and deletes it then."""
    count = f"{len(files):,} {'file' if len(files) == 1 else 'files'}"
    return f"{count} that a worker saved into its temporary folder {folder}; the chief's save is the one that counts"


def _listed(files: list[FileStat]) -> str:
    names = ", ".join(to_text(file.name.rpartition("/")[2]) for file in files[:_SHOWN_FILES])
    return names if len(files) <= _SHOWN_FILES else f"{names} and {len(files) - _SHOWN_FILES} more"
