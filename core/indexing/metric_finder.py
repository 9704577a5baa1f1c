"""Which files of a folder some source of metrics reads, told by the walk's listing."""

from collections import OrderedDict
from collections.abc import Collection

from core.base.files import Listing
from core.catalog.metric_files import SeenFile
from core.metrics.registry import source_of
from core.runs.group import Groups
from core.stores.store import Store
from waypoint_resume.names import join

_REMEMBERED = 64  # folders whose names are kept: those around a file are asked for by all files beside it


class MetricFinder:
    """Finds the files; names of folders other than the one that is looked at are asked of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._names: OrderedDict[str, Collection[str]] = OrderedDict()

    def files(self, listing: Listing, groups: Groups) -> tuple[SeenFile, ...]:
        """Those of a folder, beside its checkpoints."""
        if not groups.others and not groups.events:
            return ()
        self._remember(listing.folder, {file.name for file in listing.files})
        found = []
        for file in (*groups.events, *groups.others):
            path = join(listing.folder, file.name)
            source = source_of(path, self._names_in)
            if source is not None:
                found.append(SeenFile(path, source.name, file.size, file.mtime_ns, file.inode))
        return tuple(found)

    def _names_in(self, folder: str) -> Collection[str]:
        if folder not in self._names:
            try:
                names = {file.name for file in self._store.members(folder).files}
            except OSError:
                names = set()
            self._remember(folder, names)
        return self._names[folder]

    def _remember(self, folder: str, names: Collection[str]) -> None:
        self._names[folder] = names
        self._names.move_to_end(folder)
        if len(self._names) > _REMEMBERED:
            self._names.popitem(last=False)
