"""Keras 3's `.keras`: a zip of metadata.json, config.json and model.weights.h5, which Keras stores without deflating.

Layout: https://github.com/keras-team/keras/blob/v3.15.1/keras/src/saving/saving_lib.py. The weights are read where they
lie, as a range of the zip. `date_saved` is local time without a zone, so that it tells no save time.
"""

import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from core.base.errors import CorruptError, FormatError, TooLargeError, UnsupportedError
from core.base.facts import Facts, Variable
from core.formats import h5_tree, hdf5, vocabularies
from core.formats.h5_tree import Place
from core.formats.json_text import parse
from core.formats.zip_members import Archive
from core.stores.local import LocalStore
from core.stores.store import Store

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"
NO_CONFIG = f"it has no {CONFIG}: load_model cannot make the model, load_weights into the job's own can still read it"
MAX_CONFIG = 64 << 20  # bytes; a larger one is a bomb
MAX_PARSED = 8 << 20  # bytes; a larger one is not searched for the optimizer's name
MAX_METADATA = 1 << 20
MAX_UNPACKED = 64 << 20  # bytes of weights that are unpacked because somebody deflated them

_WITHOUT_ASSETS = 3  # members of a file that holds the model's config, its metadata and its weights alone

Result = tuple[Facts, tuple[Variable, ...]]


class Outside(NamedTuple):
    """What a saved model says beside its weights."""

    weights: Place | None
    has_architecture: bool
    writer: str | None
    accumulation: int = 1  # batches whose gradients the optimizer gathers before it makes a step


def read(store: Store, path: str) -> Result:
    """One file's facts and variables. A legacy HDF5 file of this name (Keras 2.12 wrote such) is read as what it is."""
    (found,) = read_many(store, (path,))
    if isinstance(found, Exception):
        raise found
    return found


def read_many(store: Store, paths: Sequence[str]) -> Iterator[Result | FormatError | OSError]:
    """Each file's facts or what was wrong with it, in their order; one round through the worker for all."""
    outsides: list[Outside | FormatError | OSError] = []
    for path in paths:
        try:
            outsides.append(_outside(store, path))
        except (FormatError, OSError) as error:
            outsides.append(error)
    places = [outside.weights for outside in outsides if isinstance(outside, Outside) and outside.weights]
    trees = h5_tree.read_many(store, places)
    for path, outside in zip(paths, outsides, strict=True):
        if isinstance(outside, Exception):
            yield outside
            continue
        try:
            tree = next(trees) if outside.weights else _unpacked(store, path)
            yield tree if isinstance(tree, Exception) else joined(outside, tree)
        except (FormatError, OSError) as error:
            yield error


def joined(outside: Outside, tree: h5_tree.Tree) -> Result:
    """The weights' facts, as those of a model with its architecture."""
    try:
        _, facts, variables = hdf5.found_in(tree, has_architecture=outside.has_architecture)
    except UnsupportedError as error:
        raise CorruptError(error.message, section=WEIGHTS) from error
    facts = facts._replace(writer=outside.writer or facts.writer)
    return hdf5.with_accumulation(facts, outside.accumulation), variables


def _outside(store: Store, path: str) -> Outside:
    with store.open(path) as file:
        if h5_tree.is_hdf5(file.read(len(h5_tree.SIGNATURE))):
            return Outside(Place(path=path), has_architecture=False, writer=None)
        archive = Archive(file)
        weights = archive.member(WEIGHTS)
        if weights is None:
            held = ", ".join(sorted(archive.members)[:5]) or "nothing"
            is_other = any(name.startswith("model.weights.") for name in archive.members)  # `.npz` and the like
            kind = UnsupportedError if is_other else CorruptError
            raise kind(f"it has no {WEIGHTS}, but {held}", section="members")
        if archive.member(CONFIG) is None:
            raise CorruptError(NO_CONFIG, section="members")
        needed = needed_members({*archive.members, *archive.broken})
        for error in [error for name, error in archive.broken.items() if name in needed]:
            raise error
        place = None if weights.is_deflated else Place(path=path, offset=weights.offset, length=weights.size)
        config = _config(archive)
        outside = described(config, archive.members[CONFIG].offset, _version(archive), place)
        vocabularies.check(parsed(config), archive.members, lambda name: _vocabulary(archive, name))
        return outside


def needed_members(members: Collection[str]) -> frozenset[str]:
    """The members that a restore reads: two, unless there are assets, for which Keras unpacks all that there are."""
    return frozenset(members if len(members) > _WITHOUT_ASSETS else {CONFIG, WEIGHTS})


def described(
    config: bytes | None, offset: int, version: str | None, weights: Place | None, *, in_utf8: bool = False
) -> Outside:
    """What a model's config says, None for one that is too long to be searched. CorruptError where it describes no
    model; `offset` is where it begins. In a zip Keras reads it in any UTF, in a folder `in_utf8` alone.
    """
    optimizer: object = None
    found = parsed(config, in_utf8=in_utf8)
    if config is not None:
        if not isinstance(found, dict) or "class_name" not in found or not isinstance(found.get("config"), dict):
            raise CorruptError("it describes no model", section=CONFIG, offset=offset)
        compiled = found.get("compile_config")
        if compiled and not isinstance(compiled, dict):
            raise CorruptError("its compile_config is no object", section=CONFIG, offset=offset)
        optimizer = compiled.get("optimizer") if isinstance(compiled, dict) else None
    return Outside(
        weights,
        has_architecture=True,
        writer=hdf5.writer(version, hdf5.optimizer_name(optimizer)),
        accumulation=hdf5.accumulation(optimizer),
    )


def parsed(config: bytes | None, *, in_utf8: bool = False) -> object:
    """A model's config; None for one that is too long to be searched."""
    return None if config is None else parse(config, CONFIG, in_utf8=in_utf8)


def _vocabulary(archive: Archive, name: str) -> bytes | None:
    is_long = archive.members[name].size > vocabularies.MAX_VOCABULARY
    return None if is_long else archive.read(name, vocabularies.MAX_VOCABULARY)


def version_in(metadata: bytes) -> str | None:
    """Keras' version by a metadata.json; None where that cannot be read, for no restore needs it."""
    with suppress(FormatError):
        found = parse(metadata, METADATA, in_utf8=False)
        version = found.get("keras_version") if isinstance(found, dict) else None
        return version if isinstance(version, str) else None
    return None


def _version(archive: Archive) -> str | None:
    with suppress(FormatError):
        if archive.member(METADATA) is not None:
            return version_in(archive.read(METADATA, MAX_METADATA))
    return None


def _config(archive: Archive) -> bytes | None:
    if MAX_PARSED < archive.members[CONFIG].size <= MAX_CONFIG:
        return None
    return archive.read(CONFIG, MAX_CONFIG)


def _unpacked(store: Store, path: str) -> h5_tree.Tree:
    """The tree of deflated weights, from a short-lived copy."""
    with store.open(path) as file, tempfile.TemporaryDirectory(prefix="waypoint-") as folder:
        try:
            content = Archive(file).read(WEIGHTS, MAX_UNPACKED)
        except TooLargeError as error:
            raise UnsupportedError("deflated weights of that size are not read", section=WEIGHTS) from error
        local = LocalStore(folder)
        with open(local.absolute(WEIGHTS), "wb") as copy:
            copy.write(content)
        tree = h5_tree.read(local, Place(path=WEIGHTS))
    # Offsets into the copy mean nothing in the zip.
    return replace(tree, datasets=tuple(replace(dataset, offset=None) for dataset in tree.datasets))
