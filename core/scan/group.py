"""From a folder's listing to units: which files are saved and restored together. Each format takes its own."""

from dataclasses import dataclass, field

from core.formats.file_groups import EVENTS, STATE_FILE
from core.formats.registry import SPECS, spec_of
from core.formats.spec import FolderFiles, Group
from core.model import FileStat, Format, Listing
from core.scan.walk import OWN_FILES, folder_formats


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
    folder = FolderFiles(files=files, units=folder_formats(listing), outside=listing.outside)
    result = Groups(shards_only=folder.shards_only, temps=folder.temps, units=frozenset(folder.units))
    for spec in SPECS:
        result.checkpoints += spec.group(folder)
    for name in list(files):
        if name == STATE_FILE:
            result.states.append(folder.take(name))
        elif EVENTS in name:
            result.events.append(folder.take(name))
    result.others = list(files.values())
    return result
