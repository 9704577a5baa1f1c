"""What lies beside a checkpoint's files bears on it: links out of the root, compressed files, a backup's epoch."""

from core.base.facts import Facts, ReadProblem
from core.base.files import Listing
from core.formats import hdf5
from core.formats.registry import spec_of
from core.formats.spec import Group
from core.stores.store import Store
from waypoint_resume.names import join, to_text
from waypoint_resume.packed import packed_name, unpack_told

# Problems that this module tells; what it made of a reading before, another reading must make again.
OF_SURROUNDINGS = frozenset({"packed", "linked"})
_BY_DAMAGE = frozenset({"truncated", "corrupt", "unreadable"})


def with_surroundings(store: Store, listing: Listing, one: Group, facts: Facts) -> Facts:
    """A group's facts as they are in this folder."""
    facts = _explained(listing, one, _linked(facts, listing.outside_names))
    facts = _with_packed(facts, {file.name for file in listing.files})
    return _with_backup(store, listing, one.name, facts)


def _linked(facts: Facts, outside: frozenset[str]) -> Facts:
    """Shards behind links that lead out of the root are not looked at: they are taken to be as the index says."""
    if not outside or not any(shard.name in outside for shard in facts.shards):
        return facts
    shards = (
        shard._replace(actual=shard.expected) if shard.name in outside and shard.actual is None else shard
        for shard in facts.shards
    )
    return facts._replace(shards=tuple(shards))


def _with_packed(facts: Facts, names: set[str]) -> Facts:
    """The compressed files in which missing shards lie."""
    missing = (shard.name for shard in facts.shards if shard.actual is None)
    packed = tuple((name, file) for name in missing if (file := packed_name(name, names)) is not None)
    return facts if packed == facts.packed else facts._replace(packed=packed)


def _explained(listing: Listing, one: Group, facts: Facts) -> Facts:
    """Why a checkpoint of several files seems damaged: a part of it is compressed, or behind a link out of the root."""
    problem = facts.problem
    if problem is None or problem.kind not in _BY_DAMAGE or not spec_of(one.format).in_parts:
        return facts
    stem = one.name.removesuffix(".weights.json")
    for link in listing.outside:
        if link.name.startswith(stem):
            detail = f"the link {to_text(link.name)} leads out of the root, where nothing is looked at"
            return facts._replace(problem=ReadProblem(kind="linked", file=problem.file, detail=detail))
    names = {file.name for file in listing.files}
    own = {file.name for file in one.files} if not stem else {name for name in names if name.startswith(stem)}
    for name in sorted(own):
        if (found := unpack_told(name, names)) is not None:
            file = name.rpartition(".")[0]
            return facts._replace(problem=ReadProblem(kind="packed", file=file, detail=found))
    return facts


def _with_backup(store: Store, listing: Listing, name: str, facts: Facts) -> Facts:
    """The epoch that Keras 3's BackupAndRestore keeps beside its weights."""
    metadata = hdf5.BACKUPS.get(name)
    if metadata is None or all(file.name != metadata for file in listing.files):
        return facts
    try:
        with store.open(join(listing.folder, metadata)) as file:
            return facts._replace(epoch=hdf5.backup_epoch(file.read(hdf5.MAX_METADATA), metadata))
    except OSError:
        return facts
