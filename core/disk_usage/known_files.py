"""What the catalog knows of files: which belong to a checkpoint or a leftover. The audit books every file by it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from core.base.facts import Contents, Format, RoleBytes
from core.base.files import FileStat
from core.base.records import Checkpoint, Leftover
from core.formats.registry import spec_of
from core.retention.left_behind import is_leftover, leftover_folder
from waypoint_resume.names import join


class Kind(StrEnum):
    """What bytes are for."""

    WEIGHTS = "weights"
    OPTIMIZER = "optimizer"
    ARCHITECTURE = "architecture"
    CHECKPOINT_REST = "checkpoint_rest"
    LEFTOVERS = "leftovers"
    EVENTS = "events"
    QUARANTINE = "quarantine"
    KEPT = "kept"
    RESUMING = "resuming"
    OTHER = "other"
    FOLDERS = "folders"


class Account(NamedTuple):
    """Under what files' bytes are booked; `run` is None outside every run. Without a kind they are those of
    checkpoints, whose variables tell the kinds.
    """

    run: str | None
    kind: Kind | None
    format: Format | None = None
    contents: Contents | None = None


class Share(NamedTuple):
    """Of `whole` bytes so many are weights and so many optimizer state."""

    whole: int = 0
    weights: int = 0
    optimizer: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One root's runs ('.' is the root itself), and the account of each known file by folder and name: `places` holds
    numbers into `accounts`. `shares` says for each account what its variables take of how many bytes in all.
    """

    runs: frozenset[str] = frozenset()
    accounts: tuple[Account, ...] = ()
    shares: tuple[Share, ...] = ()
    places: Mapping[str, Mapping[str, int]]


NO_SHARE = Share()


def known_files(
    runs: Iterable[str], checkpoints: Iterable[Checkpoint], leftovers: Iterable[tuple[str, Leftover]]
) -> Known:
    """What is known of one root; `leftovers` are (run, leftover)."""
    books = _Books()
    for item in checkpoints:
        _book(books, item)
    for run, left in leftovers:
        books.add(leftover_folder(left), [file.name for file in left.files], Account(run, Kind.LEFTOVERS))
    return Known(
        runs=frozenset(runs),
        accounts=tuple(books.numbers),
        shares=tuple(Share(*sums) for sums in books.shares),
        places=books.places,
    )


@dataclass(slots=True)
class _Books:
    """Accounts in the making: their numbers, the sums of their shares, and the files that belong to them."""

    numbers: dict[Account, int] = field(default_factory=dict)
    shares: list[list[int]] = field(default_factory=list)
    places: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, folder: str, names: Sequence[str], account: Account, share: Share = NO_SHARE) -> None:
        """Book files; their names are relative to the folder."""
        if not names:
            return
        number = self.numbers.setdefault(account, len(self.numbers))
        if number == len(self.shares):
            self.shares.append([0, 0, 0])
        self.shares[number] = [old + new for old, new in zip(self.shares[number], share, strict=True)]
        for name in names:
            inner, _, last = name.rpartition("/")
            place = join(folder, inner) if inner else folder
            self.places.setdefault(place, {})[last] = number


def _book(books: _Books, item: Checkpoint) -> None:
    facts = item.facts
    shape = spec_of(item.format).architecture
    kind = Kind.LEFTOVERS if is_leftover(item) else None
    drawn = [
        file for file in item.files if kind is None and shape is not None and shape.fullmatch(file.name) is not None
    ]
    stored = [file for file in item.files if file not in drawn] if drawn else item.files
    books.add(
        item.folder,
        [file.name for file in drawn],
        Account(item.run, Kind.ARCHITECTURE, item.format, facts.contents),
    )
    account = Account(item.run, kind, item.format, facts.contents)
    books.add(item.folder, [file.name for file in stored], account, _share(facts.role_bytes, stored))


def _share(roles: RoleBytes, files: Sequence[FileStat]) -> Share:
    """What variables take of a checkpoint's files; scaled down where the files are shorter than their variables."""
    whole = sum(file.size for file in files)
    stored = max(sum(roles), whole, 1)
    return Share(whole, roles.weights * whole // stored, roles.optimizer * whole // stored)
