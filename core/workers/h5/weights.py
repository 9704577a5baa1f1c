"""Whether Keras finds in an HDF5 file what it asks for: listed layers and weights, and values that lie in this file."""

import itertools
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o

from core.workers.h5.objects import MAX_OBJECTS, MAX_TEXT, Refused, is_inside, join, text

MAX_HOPS = 16  # soft links that lead on to others
ELSEWHERE = "it lies in another file, which is not followed"
LINKED = "it is a link: newer Keras follows none, older Keras and tf-keras do"


def broken(root: Any, datasets: set[bytes], marks: list[str]) -> list[str] | None:  # noqa: ANN401
    """[kind, name, why] of the first thing that Keras asks for and does not get; None where it gets all."""
    try:
        _look_at_lists(root, datasets, marks)
        _look_at_variables(root, datasets)
    except Refused as refused:
        kind, name, why = refused.args
        return [kind, name, why]
    return None


def _look_at_lists(root: Any, datasets: set[bytes], marks: list[str]) -> None:  # noqa: ANN401
    """A legacy file lists its layers and their weights by name: each must be there."""
    place = b"" if root.links.exists(b"model_weights") is False else reached(root, b"model_weights")
    if not place and "model_config" in marks:
        raise Refused("corrupt", "model_weights", "the group is not there")
    if not place and "layer_names" not in marks and "layer_names0" not in marks:
        return
    layers = [join(place, name) for name in _listed(root, place, b"layer_names", datasets)]
    beside = [join(place, b"top_level_model_weights"), b"optimizer_weights"]
    there = {name for name in beside if _exists(root, name)}
    for layer in dict.fromkeys([*layers, *(name for name in beside if name in there)]):
        group = reached(root, layer)
        for name in _listed(root, group, b"weight_names", datasets):
            _look_at_value(root, reached(root, join(group, name)))


def _look_at_variables(root: Any, datasets: set[bytes]) -> None:  # noqa: ANN401
    """What lies among a layer's variables in Keras 3's layout has values in this file, and no link leads to nothing."""
    links: list[bytes] = []

    def visit(name: bytes, info: Any) -> None:  # noqa: ANN401
        if info.type != h5l.TYPE_HARD and len(links) < MAX_OBJECTS:
            links.append(name)

    root.links.visit(visit, info=True)
    variables = [name for name in datasets if b"vars" in name.split(b"/")[-2:-1]]
    if not variables and not any(b"vars" in name.split(b"/") for name in links):
        return
    for name in sorted(links):
        reached(root, name)
    for name in sorted(variables):
        _look_at_value(root, name)


def _look_at_value(root: Any, name: bytes) -> None:  # noqa: ANN401
    """Raises Refused for what is no dataset, or has its values nowhere or in another file."""
    found = h5o.open(root, name)
    if not isinstance(found, h5d.DatasetID):
        raise Refused("corrupt", text(name), "a group stands in the place of a weight")
    if found.shape is None:
        raise Refused("corrupt", text(name), "it has no values")
    if found.get_offset() is None and not is_inside(found):
        raise Refused("unsupported", text(name), ELSEWHERE)


def _listed(root: Any, place: bytes, name: bytes, datasets: set[bytes]) -> list[bytes]:  # noqa: ANN401
    """The names in a list that Keras keeps with a group, in one attribute or in numbered ones."""
    group = h5o.open(root, place or b"/")
    numbered = (name + str(number).encode() for number in range(MAX_OBJECTS))
    attributes = (
        [name] if h5a.exists(group, name) else list(itertools.takewhile(lambda one: h5a.exists(group, one), numbered))
    )
    if not attributes and any(one.startswith(place + b"/") for one in datasets):
        raise Refused("corrupt", text(join(place, name)), "the list of names is not there")
    found: list[bytes] = []
    for one in attributes:
        attribute = h5a.open(group, one)
        if attribute.get_space().get_simple_extent_npoints() * attribute.get_type().get_size() > MAX_TEXT:
            raise Refused("too-large", text(join(place, one)), "the list of names is too long")
        values = np.ravel(h5py.AttributeManager(SimpleNamespace(id=group))[one.decode()]).tolist()
        found += [value.encode() if isinstance(value, str) else value for value in values]
    if not all(isinstance(value, bytes) for value in found):
        raise Refused("corrupt", text(join(place, name)), "the list holds no names")
    return found


def _exists(root: Any, name: bytes) -> bool:  # noqa: ANN401
    """Whether there is a link of this name; the groups above it are there."""
    return bool(root.links.exists(name))


def reached(root: Any, name: bytes) -> bytes:  # noqa: ANN401
    """The path of what a path leads to. Raises Refused where nothing is, another file, or what only a link leads to.

    Each step is looked at before it is taken, so that the library follows no link.
    """
    ahead, place, hops = name.split(b"/")[::-1], b"", 0
    while ahead:
        part = ahead.pop()
        if part in (b"", b"."):
            continue
        here = join(place, part)
        if (place and not isinstance(h5o.open(root, place), h5g.GroupID)) or not _exists(root, here):
            raise Refused("corrupt", text(name), "it is not there")
        kind = root.links.get_info(here).type
        if kind == h5l.TYPE_HARD:
            place = here
            continue
        if kind != h5l.TYPE_SOFT:
            raise Refused("unsupported", text(name), ELSEWHERE)
        hops += 1
        if hops > MAX_HOPS:
            raise Refused("corrupt", text(name), "its link leads to no end")
        target = root.links.get_val(here)
        ahead += target.split(b"/")[::-1]
        place = b"" if target.startswith(b"/") else place
    if hops:
        raise Refused("unsupported", text(name), LINKED)
    return place
