"""Files of a folder that belong to no checkpoint, as records."""

from core.index.unsettled import is_young
from core.model import FileStat, Leftover
from core.scan.group import Groups
from core.sizes import size_text
from waypoint_resume.names import join, to_text

_SHOWN_FILES = 3


def leftovers(folder: str, groups: Groups, now_ns: int, grace_ns: int) -> tuple[Leftover, ...]:
    """Shards without an index and what unfinished saves left; those within the grace are being written."""
    found: list[Leftover] = []
    sources = (("orphan-shard", groups.shards_only, _without_index), ("interrupted-save", groups.temps, _unfinished))
    for rule, places, told in sources:
        for name, parts in places.items():
            young = is_young(max(file.mtime_ns for file in parts), now_ns, grace_ns)
            reason = f"{told(parts)}: {size_text(sum(file.size for file in parts))}."
            path = join(folder, name)
            found.append(Leftover(path=path, rule=rule, files=tuple(parts), reason=reason, writing=young))
    return tuple(found)


def _without_index(files: list[FileStat]) -> str:
    return f"{_listed(files)} without an index"


def _unfinished(files: list[FileStat]) -> str:
    """Their names are TensorFlow's own and tell nothing; the place is named after the save."""
    return f"{len(files):,} {'file' if len(files) == 1 else 'files'} of a save that did not finish"


def _listed(files: list[FileStat]) -> str:
    names = ", ".join(to_text(file.name.rpartition("/")[2]) for file in files[:_SHOWN_FILES])
    return names if len(files) <= _SHOWN_FILES else f"{names} and {len(files) - _SHOWN_FILES} more"
