"""The objects of an HDF5 file by the C library's low-level calls, within limits: names, types, attributes.

h5py's low-level calls take a third of the time of its visititems; H5Ovisit follows hard links only and meets each
object once, so that neither links out of the file nor cycles are followed.
"""

from types import SimpleNamespace
from typing import Any

import h5py
from h5py import h5a, h5d, h5o, h5t

MAX_OBJECTS = 100_000
MAX_DEPTH = 64
MAX_NAME = 65_536  # bytes of a path inside the file
MAX_NAMES = 32 << 20  # bytes of all paths
MAX_TEXT = 8 << 20  # bytes of an attribute that is read


class Refused(Exception):  # noqa: N818 (an answer, not a mishap)
    """A file is given up: kind, section, message."""


def text(name: bytes) -> str:
    """A name or an attribute as text that every encoder takes."""
    return name.decode("utf-8", "backslashreplace")


def text_attribute(place: Any, name: bytes) -> str | None:  # noqa: ANN401 (h5py has no types)
    """An attribute's text; None where it is absent, no single string, or too long."""
    value = bytes_attribute(place, name) if h5a.exists(place, name) else None
    return None if value is None else text(value)


def bytes_attribute(place: Any, name: bytes) -> bytes | None:  # noqa: ANN401
    """The bytes of an attribute that is there; None where it is no single string, or too long."""
    attribute = h5a.open(place, name)
    if attribute.get_space().get_simple_extent_npoints() != 1 or attribute.get_storage_size() > MAX_TEXT:
        return None
    if attribute.get_type().get_class() != h5t.STRING:
        return None
    value = h5py.AttributeManager(SimpleNamespace(id=place))[name.decode()]
    value = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return value if isinstance(value, bytes) and len(value) <= MAX_TEXT else None


def kind_of(type_id: Any) -> str:  # noqa: ANN401
    """A dtype's name as NumPy and Keras give it; 'opaque-N' for N bytes without a meaning."""
    size = type_id.get_size()
    match type_id.get_class():
        case h5t.INTEGER:
            return f"{'int' if type_id.get_sign() == h5t.SGN_2 else 'uint'}{size * 8}"
        case h5t.FLOAT:
            return "bfloat16" if size == 2 and type_id.get_fields()[4] == 7 else f"float{size * 8}"
        case h5t.STRING:
            return "string"
        case h5t.ENUM:
            return "bool" if size == 1 else "enum"
        case h5t.COMPOUND if type_id.get_nmembers() == 2 and type_id.get_member_name(0) == b"r":
            return f"complex{size * 8}"
    return f"opaque-{size}"


def integer(found: Any) -> int | None:  # noqa: ANN401
    """A scalar's value; None where another file holds it (external, virtual), or where no database keeps it."""
    return value if is_inside(found) and (value := int(h5py.Dataset(found)[()])) < 1 << 63 else None


def is_inside(found: Any) -> bool:  # noqa: ANN401
    """Whether a dataset's values lie in this file."""
    plan = found.get_create_plist()
    return plan.get_layout() != h5d.VIRTUAL and not plan.get_external_count()


def names_of(root: Any) -> tuple[list[bytes], list[bytes]]:  # noqa: ANN401
    """The paths of all datasets and of all groups."""
    datasets: list[bytes] = []
    groups: list[bytes] = []
    stopped: list[str] = []
    total = 0

    def visit(name: bytes, info: Any) -> bool | None:  # noqa: ANN401
        nonlocal total
        total += len(name)
        if len(datasets) + len(groups) >= MAX_OBJECTS:
            stopped.append(f"more than {MAX_OBJECTS:,} objects")
        elif len(name) > MAX_NAME or total > MAX_NAMES:
            stopped.append("names are too long")
        elif name.count(b"/") >= MAX_DEPTH:
            stopped.append(f"groups lie more than {MAX_DEPTH} deep")
        elif info.type == h5o.TYPE_DATASET:
            datasets.append(name)
        elif info.type == h5o.TYPE_GROUP:
            groups.append(name)
        return True if stopped else None

    h5o.visit(root, visit, info=True)
    if stopped:
        raise Refused("too-large", "tree", stopped[0])
    return datasets, groups


def join(place: bytes, name: bytes) -> bytes:
    """A path inside the file."""
    return place + b"/" + name if place else name
