"""What a folder without a checkpoint holds instead: models of kinds that are not read, and other files by ending."""

from collections import Counter
from collections.abc import Iterable

from core.base.files import FileStat, Held
from core.formats import unread
from core.stores.store import Store

NOTHING_HELD = Held()
EVENTS = "TensorBoard events"
_MOST_ENDINGS = 5
_LONGEST = 12  # characters of an ending; what is longer is a name with a dot


def held_instead(store: Store, folder: str, files: Iterable[FileStat]) -> Held:
    """The files of a folder, none of which is part of a checkpoint, counted by kind and by ending."""
    files = list(files)
    known = {file.name: kind for kind, file in unread.kinds(store, folder, files)}
    endings = Counter(_ending(file.name) for file in files if file.name not in known)
    return Held(kinds=tuple(Counter(known.values()).most_common()), endings=tuple(endings.most_common(_MOST_ENDINGS)))


def _ending(name: str) -> str:
    if ".tfevents." in name:
        return EVENTS
    stem, dot, ending = name.rpartition("/")[2].rpartition(".")
    return f"{dot}{ending.lower()}" if stem and len(ending) <= _LONGEST else ""
