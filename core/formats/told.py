"""What people and the job's side are told of a format: `make docs` writes docs/formats.md and the client's list."""

from typing import NamedTuple


class Told(NamedTuple):
    """For docs/formats.md: which files make a checkpoint, what is read of them, where each tensor's place is told; who
    writes it, where its name does not say so; and the limits of its reader, where no other format shares them.
    """

    files: str
    read: str
    places: str
    by: str = ""
    limits: str = ""


class Listed(NamedTuple):
    """How the job's side, which restores none of them, knows a format's files: a pattern of their names, what it calls
    the format, and the bytes with one of which they begin (none: any).
    """

    names: str
    word: str
    starts: bytes = b""
