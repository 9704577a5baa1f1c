"""The folders of a run, each listed once however often they are walked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from waypoint_resume.places import HIDDEN, is_named_run

SKIPPED_FOLDERS = frozenset({HIDDEN, ".git", ".venv", "node_modules", "site-packages", "__pycache__"})
_TEMP_FOLDER = re.compile(r".+_temp(?:_[0-9a-f]{32})?", re.DOTALL)
_TEMP_PART = re.compile(r"part-\d+-of-\d+\..+", re.DOTALL)


@dataclass(frozen=True)
class _Listing:
    """What lies in one folder; `problem` is why it cannot be listed."""

    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    problem: OSError | None = None


class RunTree:
    """A run as it was when each of its folders was first looked at: for one decision, made at once."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._listed: dict[Path, _Listing] = {}

    def walk(self) -> Iterator[tuple[Path, list[str], list[str]]]:
        """The folders as os.walk gives them, from the top, without Waypoint's own, temporary ones, and runs of other
        jobs. What is taken out of the list of folders is not walked.
        """
        left = [self.run]
        while left:
            here = left.pop()
            found = self._list(here)
            if found.problem is not None:
                continue
            folders, files = [name for name in found.folders if self._is_walked(here / name)], list(found.files)
            yield here, folders, files
            left += [here / name for name in reversed(folders) if not (here / name).is_symlink()]

    def names_in(self, folder: Path) -> set[str]:
        """The names in a folder; none where it cannot be listed."""
        found = self._list(folder)
        return {*found.folders, *found.files}

    def problem_of(self, folder: Path) -> OSError | None:
        """Why a folder cannot be listed."""
        return self._list(folder).problem

    def temp_saves(self, folder: Path) -> Iterator[Path]:
        """The folders in one in which TensorFlow writes a bundle's parts; people use that ending too."""
        return (folder / name for name in self._list(folder).folders if self._holds_parts(folder / name))

    def _is_walked(self, folder: Path) -> bool:
        is_own = folder.name in SKIPPED_FOLDERS or folder.name.endswith(".waypoint-tmp")
        return not is_own and not is_named_run(folder) and not self._holds_parts(folder)

    def _holds_parts(self, folder: Path) -> bool:
        names = self.names_in(folder) if _TEMP_FOLDER.fullmatch(folder.name) else set()
        return bool(names) and all(_TEMP_PART.fullmatch(name) for name in names)

    def _list(self, folder: Path) -> _Listing:
        if folder not in self._listed:
            self._listed[folder] = _list(folder)
        return self._listed[folder]


def _list(folder: Path) -> _Listing:
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                (folders if _is_folder(entry) else files).append(entry.name)
    except OSError as error:
        return _Listing(problem=error)
    return _Listing(tuple(folders), tuple(files))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # as os.walk does
        return False
