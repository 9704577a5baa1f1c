"""TensorFlow's state file `checkpoint`: rewritten without what goes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

STATE_FILE = "checkpoint"
_OTHER_KIND = re.compile(
    r"\.(?:meta|pb|pbtxt|json|csv|npy|npz|pkl|png|jpe?g|gz|zip|tar|log|py|sh|ya?ml|index|h5|keras)$", re.IGNORECASE
)
_STATE_LINE = re.compile(rb'\s*(\w+)\s*:\s*("(?:[^"\\]|\\.)*"|[-+.\w]+)\s*')
_LATEST = b"model_checkpoint_path"
_LISTED = b"all_model_checkpoint_paths"
_TIMES = b"all_model_checkpoint_timestamps"
_PRESERVED = b"last_preserved_timestamp"
_ESCAPES = {
    "\n": b"\\n",
    "\r": b"\\r",
    "\t": b"\\t",
    '"': b'\\"',
    "'": b"\\'",
    "\\": b"\\\\",
}
_STATE_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)")


def may_be_state_file(name: str) -> bool:
    """Whether a name is no other kind of file's: TensorFlow 1 lets jobs name theirs (`best_dev_checkpoint`)."""
    return _OTHER_KIND.search(name) is None


def state_text(latest: str, listed: Sequence[str], times: Sequence[float] = (), preserved: float = 0.0) -> bytes:
    """A state file as TensorFlow writes it; names as they are to stand there, times in seconds since 1970 (0: none)."""
    lines = [(_LATEST, _quoted(latest)), *((_LISTED, _quoted(name)) for name in listed)]
    lines += [(_TIMES, _number(time)) for time in times]
    lines += [(_PRESERVED, _number(preserved))] if preserved else []
    return b"".join(name + b": " + value + b"\n" for name, value in lines)


def _number(value: float) -> bytes:
    return str(float(value)).encode()


def state_without(old: bytes, folder: Path, gone: set[str], latest: str | None) -> bytes | None:
    """A state file without the checkpoints (absolute prefixes) that go, about `latest` if that lies there.

    None if it names nothing that stays. Nothing is listed that the old one did not list, for a CheckpointManager
    deletes what is listed. One that cannot be read becomes one about `latest` alone.
    """
    entries = [_STATE_LINE.fullmatch(line) for line in old.splitlines() if line.strip()]
    lines = [
        (entry[1], entry[2])
        for entry in entries
        if entry is not None and entry[1] in (_LATEST, _LISTED, _TIMES, _PRESERVED)
    ]
    if len(lines) < len(entries):
        return old if latest is None else state_text(latest, ())
    named, times = ([value for name, value in lines if name == field] for field in (_LISTED, _TIMES))
    kept = [place for place, value in enumerate(named) if _prefix(value, folder) not in gone]
    first = next((value for name, value in lines if name == _LATEST), None)
    if latest is None and (first is None or _prefix(first, folder) in gone):
        standing = [named[place] for place in kept if Path(f"{_prefix(named[place], folder)}.index").exists()]
        first = standing[-1] if standing else None
    elif latest is not None:
        spelled = (value for value in (first, *named) if value and _prefix(value, folder) == str(folder / latest))
        first = next(spelled, _quoted(latest))
    if first is None:
        return None
    new = [(_LATEST, first), *((_LISTED, named[place]) for place in kept)]
    new += [(_TIMES, times[place]) for place in kept if place < len(times)]
    new += [(name, value) for name, value in lines if name == _PRESERVED]
    return old if new == lines else b"".join(name + b": " + value + b"\n" for name, value in new)


def latest_named(data: bytes, folder: Path) -> str | None:
    """The absolute prefix that a state file in a folder calls the latest; None where it names none."""
    lines = (_STATE_LINE.fullmatch(line) for line in data.splitlines())
    quoted = (line[2] for line in lines if line is not None and line[1] == _LATEST and line[2].startswith(b'"'))
    return next((_prefix(value, folder) for value in quoted), None)


def _prefix(value: bytes, folder: Path) -> str:
    """The absolute prefix that a quoted path in a state file means."""

    def plain(match: re.Match[bytes]) -> bytes:
        code = match[1]
        named = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
        return bytes([int(code, 8) & 255]) if code.isdigit() else named.get(code, code)

    name = os.fsdecode(_STATE_ESCAPE.sub(plain, value[1:-1]))
    whole = os.path.join(folder, name)
    return os.path.join(os.path.realpath(os.path.dirname(whole)), os.path.basename(whole))


def _quoted(name: str) -> bytes:
    """A name as TensorFlow writes it into a state file."""
    return b'"%b"' % b"".join(_ESCAPES.get(letter) or _plain_or_octal(letter) for letter in name)


def _plain_or_octal(letter: str) -> bytes:
    """UTF-8 as it is; what is no text, or unprintable in ASCII, in octal digits."""
    is_text = " " <= letter < "\x7f" or "\x7f" < letter < "\ud800" or letter > "\udfff"
    return letter.encode() if is_text else b"".join(b"\\%03o" % byte for byte in os.fsencode(letter))
