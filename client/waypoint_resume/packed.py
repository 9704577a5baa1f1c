"""Compressed files in the place of what a checkpoint needs: known by their names, and how they are unpacked."""

from __future__ import annotations

from collections.abc import Collection

from waypoint_resume.names import to_text

UNPACKERS = {"gz": "gunzip", "bz2": "bunzip2", "xz": "unxz", "zst": "unzstd", "zip": "unzip"}


def packed_name(name: str, names: Collection[str]) -> str | None:
    """The compressed form of a file among some names."""
    return next((f"{name}.{ending}" for ending in UNPACKERS if f"{name}.{ending}" in names), None)


def unpack_told(name: str, names: Collection[str]) -> str | None:
    """What to do with a compressed file whose unpacked form is not there, as a clause; None for other files."""
    stem, _, ending = name.rpartition(".")
    unpacker = UNPACKERS.get(ending)
    if unpacker is None or not stem or stem in names:
        return None
    return f"{to_text(name)} is there: {unpacker} it"
