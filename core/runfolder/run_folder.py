"""A run's folder: the one thing that is asked where a run and the decisions about it lie."""

from dataclasses import dataclass
from pathlib import Path

from core.base.errors import PlaceError
from core.base.records import Root
from core.formats.state_file import NAME, OTHER_MOST, is_one
from core.runfolder.places import decisions_folder, inside, read_small, run_folder
from waypoint_resume.names import to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Where a run lies (`run` is relative to the root), and where its decisions do if its folder is read-only."""

    root_path: str
    run: str
    folder: Path
    decisions: Path | None

    @classmethod
    def of(cls, root: Root, run: str, decisions_dir: Path | None) -> "RunFolder":
        """The place of a run. PlaceError where a link leads out of it."""
        apart = None if decisions_dir is None else decisions_folder(decisions_dir, root.id, run)
        return cls(root_path=root.path, run=run, folder=run_folder(root.path, run), decisions=apart)

    def state_file(self, path: str) -> Path:
        """A state file's place, by its path relative to the run. PlaceError where any part of it is a link."""
        place = self.folder / path
        if inside(self.folder, path) != place:
            raise PlaceError(f"{to_text(path)!r} lies behind a link: nothing is written there.")
        if place.name != NAME and not _holds_state(place):
            raise PlaceError(f"{to_text(path)!r} is no state file: it is not named {NAME!r}, and names no latest.")
        return place


def _holds_state(place: Path) -> bool:
    try:
        data = read_small(place, OTHER_MOST)
    except FileNotFoundError:
        return False
    return is_one(data)
