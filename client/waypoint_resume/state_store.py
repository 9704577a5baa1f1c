"""What is kept beside checkpoints: `.waypoint/state/<digest>.json` for each, and `<digest>.npz` for long arrays.

A state is found by what its checkpoint holds (`identity.py`), so one that was copied, moved or brought back finds it.
Files here are untrusted: they are read with limits and without pickle, and a broken one is not kept, which is told.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waypoint_resume.atomic import make_folder, replacing, write_atomic
from waypoint_resume.errors import ResumeError
from waypoint_resume.files import names_in_folder, read_file, read_record, unlink_quietly
from waypoint_resume.identity import DIGEST, Identity, identity_of, identity_problems, is_unchanged
from waypoint_resume.places import HIDDEN
from waypoint_resume.values import Arrays, UnkeptError, decode, encode, files_of
from waypoint_resume.version import __version__

STATE = "state"
VERSION = 1
LONGEST = 16 << 20  # bytes of a state's JSON
_BACK_FROM = ("quarantine", "rewound", "kept", "fits")  # folders from which a checkpoint can come back
_PLACES = 20  # places of one content that are remembered
_FORGOTTEN = 30 * 86_400.0  # seconds after which the state of a checkpoint that nobody brought back is removed


@dataclass(frozen=True)
class Kept:
    """The state that was found for a checkpoint, or None with the reasons why there is none."""

    state: dict[str, Any] | None
    problem: str | None = None


class StateStore:
    """The states of one run. `home` holds its `.waypoint`, and `run` the checkpoints."""

    def __init__(self, run: Path, home: Path) -> None:
        self.run, self.folder, self._hidden = run, home / HIDDEN / STATE, home / HIDDEN
        # The places of each checkpoint that was seen here, by digest: two savers may write the same content.
        self._watched: dict[str, list[dict[str, Any]]] = {}
        self._files: dict[str, set[str]] = {}  # the arrays' files of each
        self._looked = False

    def keep(self, identity: Identity, state: Mapping[str, Any]) -> list[str]:
        """Keep the state of a checkpoint, whole and durable; what of its parts cannot be kept is told. OSError."""
        arrays: Arrays = {}
        parts, problems = {}, []
        for name, part in state.items():
            try:
                parts[name] = encode(part, arrays)
            except UnkeptError as error:
                problems.append(f"{name}: {error}")
        make_folder(self.folder)
        for name, items in arrays.items():
            if not self._place(name, ".npz").exists():
                self._write_arrays(name, items)
        others = self._other_places(identity)
        about = {"version": VERSION, "client": __version__, "kept_at": time.time(), "identity": identity.record()}
        about["others"] = others
        data = json.dumps({**about, "state": parts}, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        if len(data) > LONGEST:
            raise OSError(f"the state of {identity.files[0].path} has {len(data):,} bytes, more than {LONGEST:,}")
        write_atomic(self._place(identity.digest, ".json"), data)
        self._watched[identity.digest] = [identity.record(), *others]
        self._files[identity.digest] = {name for part in parts.values() for name in files_of(part)}
        return problems

    def has(self, digest: str) -> bool:
        """Whether a state is kept for a checkpoint of this identity."""
        return self._place(digest, ".json").is_file()

    def find(self, identity: Identity) -> Kept:
        """The state that was kept for a checkpoint; a broken one is told with its name and never raised."""
        path = self._place(identity.digest, ".json")
        try:
            record = self._record(path)
            if record is None:
                return Kept(None)
            return Kept({name: decode(part, self._read_arrays) for name, part in record["state"].items()})
        except (OSError, ValueError, ResumeError, RecursionError) as error:
            return Kept(None, f"{path} is not used: {error}")

    def prune(self) -> list[str]:
        """Remove the states of checkpoints that were rotated away or written over while this job ran; their digests.

        A state stays while its checkpoint lies where it can come back from: quarantine, rewound, kept.
        """
        self._look()
        gone = [digest for digest, places in self._watched.items() if not self._is_there(places)]
        held = set(self._set_aside()) if gone else set()
        named = self._kept_digests() if gone else set()
        removed = [item for item in gone if item not in named and not held & _sizes(self._watched[item])]
        for digest in removed:
            unlink_quietly(self._place(digest, ".json"))
            del self._watched[digest]
        if removed:
            self._drop_arrays({name for digest in removed for name in self._files.pop(digest, ())})
        return removed

    def _look(self) -> None:
        """Learn once what other starts kept: what lies in its place is watched, what nobody brought back is dropped."""
        if self._looked:
            return
        self._looked, is_known, names = True, True, names_in_folder(self.folder)
        for name in names:
            digest = name[: -len(".json")]
            if not name.endswith(".json") or not DIGEST.fullmatch(digest) or digest in self._watched:
                continue
            try:
                record = self._record(self.folder / name) or {}
            except (OSError, ValueError, ResumeError, RecursionError):
                is_known = False  # what it refers to cannot be told
                continue
            self._files[digest] = files_of(record["state"])
            places = [record["identity"], *record["others"]]
            if self._is_there(places) or record["kept_at"] < time.time() - _FORGOTTEN:
                self._watched[digest] = places
        if is_known:  # a kill between arrays and state leaves arrays of none
            self._drop_arrays({name[: -len(".npz")] for name in names if name.endswith(".npz")})

    def _set_aside(self) -> Iterator[tuple[int, int]]:
        """Size and time of every file that can come back."""
        for name in _BACK_FROM:
            for folder, _, files in os.walk(self._hidden / name):
                for file in files:
                    try:
                        found = os.lstat(os.path.join(folder, file))
                    except OSError:
                        continue
                    yield found.st_size, found.st_mtime_ns

    def _kept_digests(self) -> set[str]:
        """The identities of what is kept for manifests, whose copies may have other times."""
        records = (read_record(path) or {} for path in (self._hidden / "kept").glob("*/kept.json"))
        found = (record.get("identity") for record in records)
        return {str(item.get("digest")) for item in found if isinstance(item, dict)}

    def record_in(self, name: str) -> dict[str, Any] | None:
        """What a file of this name in the folder holds, as JSON. OSError, ValueError, ResumeError for a broken one."""
        return self._record(self.folder / name)

    def _record(self, path: Path) -> dict[str, Any] | None:
        data = read_file(path, LONGEST)
        if data is None:
            return None
        record = json.loads(data)
        if not isinstance(record, dict) or type(record.get("version")) is not int:
            raise UnkeptError("no state")
        if record["version"] != VERSION:
            raise UnkeptError(f"version {record['version']} is unknown here; allowed: {VERSION}")
        problems = identity_problems(record.get("identity"))
        if problems or not isinstance(record.get("state"), dict) or type(record.get("kept_at")) not in (int, float):
            raise UnkeptError("; ".join(problems) or "no state")
        others = record.get("others")
        record["others"] = [item for item in others if not identity_problems(item)] if isinstance(others, list) else []
        return record

    def _other_places(self, identity: Identity) -> list[dict[str, Any]]:
        """Where else a checkpoint of the same content lies, by what was kept for it before."""
        known = self._watched.get(identity.digest)
        if known is None:
            with contextlib.suppress(OSError, ValueError, ResumeError, RecursionError):  # a broken one is written anew
                record = self._record(self._place(identity.digest, ".json"))
                known = [record["identity"], *record["others"]] if record is not None else []
        own = [file.path for file in identity.files]
        others = [item for item in known or () if [file["path"] for file in item["files"]] != own]
        return [item for item in others if is_unchanged(self.run, item)][:_PLACES]

    def _is_there(self, places: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the checkpoint lies in one of its places still."""
        return any(is_unchanged(self.run, place) for place in places)

    def _place(self, digest: str, ending: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise UnkeptError(f"{digest!r} is no digest")
        return self.folder / f"{digest}{ending}"

    def _write_arrays(self, name: str, items: Sequence[Any]) -> None:
        import numpy as np

        with replacing(self._place(name, ".npz")) as file:
            np.savez(file, **{f"{number:06}": item for number, item in enumerate(items)})

    def _read_arrays(self, name: str) -> list[bytes]:
        """The arrays of a file, each as its bytes. Members are stored, so that none grows when it is read."""
        import numpy as np

        path = self._place(name, ".npz")
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                with zipfile.ZipFile(file) as archive:
                    members, size = archive.infolist(), os.fstat(file.fileno()).st_size
                    if any(item.compress_type != zipfile.ZIP_STORED for item in members):
                        raise UnkeptError(f"{path.name} is compressed")
                    if sum(item.file_size for item in members) > size:
                        raise UnkeptError(f"{path.name} holds more than its {size:,} bytes")
                file.seek(0)
                with np.load(file, allow_pickle=False) as found:
                    return [_bytes_of(found[key]) for key in sorted(found.files)]
        except (zipfile.BadZipFile, EOFError, MemoryError, NotImplementedError, KeyError) as error:
            raise UnkeptError(f"{path.name} cannot be read: {error}") from error

    def _drop_arrays(self, names: set[str]) -> None:
        """Remove files of arrays that no state refers to any more."""
        for name in names - {name for kept in self._files.values() for name in kept}:
            if DIGEST.fullmatch(name):
                unlink_quietly(self._place(name, ".npz"))


def state_beside(run: Path, home: Path, path: str) -> bool:
    """Whether a state is kept for the checkpoint at a path relative to the run; False where it cannot be read."""
    try:
        return StateStore(run, home).has(identity_of(run, path).digest)
    except OSError:
        return False


def _bytes_of(array: Any) -> bytes:  # noqa: ANN401
    if array.dtype != "uint8":
        raise UnkeptError(f"an array of {array.dtype}")
    return bytes(array)


def _sizes(places: Sequence[Mapping[str, Any]]) -> set[tuple[int, int]]:
    return {(file["size"], file["mtime_ns"]) for place in places for file in place["files"]}
