"""From a folder's listing to units: which files are saved and restored together. Each format takes its own."""

from dataclasses import dataclass, field
from itertools import chain

from core.base.facts import Format
from core.base.files import FileStat, Listing
from core.formats.file_groups import EVENTS, STATE_FILE
from core.formats.registry import SPECS, spec_of
from core.formats.spec import FolderFiles, Group
from core.runs.walk import OWN_FILES, folder_formats
from waypoint_resume.checkpoints import worker_temp


@dataclass(slots=True)
class Groups:
    """A folder's units. `shards_only` are shards without an index, by prefix; `temps` leftovers of saves by name;
    `others` what is nothing that a name tells; `units` the formats of which the folder itself is a checkpoint.
    """

    checkpoints: list[Group] = field(default_factory=list)
    shards_only: dict[str, list[FileStat]] = field(default_factory=dict)
    temps: dict[str, list[FileStat]] = field(default_factory=dict)
    states: list[FileStat] = field(default_factory=list)
    events: list[FileStat] = field(default_factory=list)
    others: list[FileStat] = field(default_factory=list)
    units: frozenset[Format] = frozenset()

    @property
    def has_units(self) -> bool:
        """Whether anything here belongs to a run by itself (not only the folder as a whole)."""
        named = any(group.name or group.format not in self.units for group in self.checkpoints)
        return bool(named or self.shards_only or self.temps or self.states or self.events)

    @property
    def has_only_events(self) -> bool:
        """Whether event files are all that belongs to a run here."""
        named = any(group.name or group.format not in self.units for group in self.checkpoints)
        return bool(self.events) and not (named or self.shards_only or self.temps or self.states)

    @property
    def all_doubtful(self) -> bool:
        """Whether everything here may turn out to be another tool's files, or is nothing but a file called
        `checkpoint`.
        """
        if self.shards_only or self.temps or self.events or (self.states and self.checkpoints):
            return False
        return all(len(one.files) <= spec_of(one.format).lookalike_files for one in self.checkpoints)


def group(listing: Listing) -> Groups:
    """The units of a listing."""
    files = {file.name: file for file in listing.files if file.name not in OWN_FILES}
    folder = FolderFiles(
        files=files, units=folder_formats(listing), confirmed=listing.confirmed, outside=listing.outside_names
    )
    result = Groups(shards_only=folder.shards_only, temps=folder.temps, units=frozenset(folder.units))
    for spec in SPECS:
        result.checkpoints += spec.group(folder)
    for name in list(files):
        if name == STATE_FILE:
            result.states.append(folder.take(name))
        elif EVENTS in name:
            result.events.append(folder.take(name))
    result.others = list(files.values())
    if worker_temp(listing.folder) is not None:
        _nobodys(result)
    return result


def _nobodys(result: Groups) -> None:
    """What workers that are not the chief saved is no checkpoint: all of it is left over from one save."""
    parts = [*result.states, *chain.from_iterable(one.files for one in result.checkpoints)]
    parts += chain.from_iterable(chain(result.shards_only.values(), result.temps.values()))
    result.checkpoints, result.states, result.shards_only, result.temps = [], [], {}, {}
    result.units = frozenset()
    if parts:
        result.temps[min(part.name for part in parts)] = sorted(parts)
