"""Damages that may come to a checkpoint's files, made on copies: each file removed, emptied, cut, flipped, extended.

Parts inside of files count as files too: the members of a zip (`model.keras!config.json`), and the texts by which Keras
finds a model in HDF5 (`model.h5!model_config`).
"""

import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

KINDS = ("removed", "emptied", "cut", "first byte flipped", "flipped", "extended")
WHOLE, BRACKETS = "whole", "in a folder with brackets"
PART = "!"
_TEXTS = ("model_config", "training_config")


@dataclass(frozen=True)
class Damage:
    """One damaged copy of a sample: which file, and what was done to it."""

    sample: str
    file: str
    kind: str

    @property
    def folder(self) -> str:
        """Its copy's folder, relative to the folder of all."""
        last = "lr=[0.1,0.2]" if self.kind == BRACKETS else "run"
        return f"{self.sample}/{self.file.replace('/', '+')}/{self.kind}/{last}".replace("//", "/")


def changed(content: bytes, kind: str) -> bytes:
    """What a damage makes of a file's bytes. Flipped is one byte in the middle, or the first."""
    if kind == "emptied":
        return b""
    if kind == "cut":
        return content[: len(content) // 2]
    if kind == "extended":
        return content + b"\0\xff"
    place = 0 if kind == "first byte flipped" else len(content) // 2
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def damaged_copies(samples: Path, target: Path) -> Iterator[Damage]:
    """Make each damage of each sample in a folder of its own below `target`; gives them in order."""
    for sample in sorted(path for path in samples.iterdir() if path.is_dir()):
        for kind in (WHOLE, BRACKETS):
            yield _copied(Damage(sample.name, "", kind), sample, target, lambda _folder: None)
        for path in sorted(path for path in sample.rglob("*") if path.is_file()):
            name = path.relative_to(sample).as_posix()
            for kind in KINDS:
                if kind == "removed":
                    yield _copied(Damage(sample.name, name, kind), sample, target, _removal(name))
                elif path.stat().st_size:
                    content = changed(path.read_bytes(), kind)
                    yield _copied(Damage(sample.name, name, kind), sample, target, _writing(name, content))
            for part, kind, change in _inside(path, name):
                yield _copied(Damage(sample.name, f"{name}{PART}{part}", kind), sample, target, change)


def _copied(damage: Damage, sample: Path, target: Path, change: Callable[[Path], None]) -> Damage:
    folder = target / damage.folder
    shutil.copytree(sample, folder)
    change(folder)
    return damage


def _removal(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _writing(name: str, content: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return write


def _inside(path: Path, name: str) -> Iterator[tuple[str, str, Callable[[Path], None]]]:
    """Damages to what lies inside of a file: (part, kind, what does it to a copy)."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            parts = {member: archive.read(member) for member in archive.namelist()}
        for part, content in parts.items():
            for kind in KINDS:
                yield part, kind, _repacking(name, parts, part, None if kind == "removed" else changed(content, kind))
    if path.suffix == ".h5":
        import h5py

        with h5py.File(path) as file:
            texts = {text: file.attrs[text] for text in _TEXTS if text in file.attrs}
        for text, content in texts.items():
            for kind in KINDS:
                stored = content.encode() if isinstance(content, str) else bytes(content)
                yield text, kind, _retelling(name, text, None if kind == "removed" else changed(stored, kind))


def _repacking(name: str, parts: dict[str, bytes], part: str, content: bytes | None) -> Callable[[Path], None]:
    """The zip packed anew, so that all checksums hold."""

    def pack(folder: Path) -> None:
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member, old in parts.items():
                new = content if member == part else old
                if new is not None:
                    archive.writestr(member, new)

    return pack


def _retelling(name: str, text: str, content: bytes | None) -> Callable[[Path], None]:
    """An attribute of the file written anew."""

    def write(folder: Path) -> None:
        import h5py
        import numpy as np

        with h5py.File(folder / name, "r+") as file:
            del file.attrs[text]
            if content is not None:
                file.attrs[text] = np.bytes_(content) if content else h5py.Empty("S1")

    return write
