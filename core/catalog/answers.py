"""What the catalog answers with, beside the records of `core.base`."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from core.base.records import Finding

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a longer list: its items, how many there are in all, and their bytes in all."""

    items: tuple[T, ...]
    total: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The numbers of the first page. Bytes are apparent sizes of everything inside the runs' folders."""

    runs: int
    live: int
    idle: int
    stale: int
    checkpoints: int
    restorable: int
    bytes: int
    leftover_bytes: int
    errors: int
    warnings: int
    infos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFinding:
    """A finding and where it belongs; `is_checkpoint` tells whether its path is a row of the checkpoint list."""

    root: str
    run: str
    finding: Finding
    is_checkpoint: bool
