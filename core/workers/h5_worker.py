"""The program of a worker process: reads the trees of HDF5 files with the C library, which hostile files can crash.

Run as a file by `core.workers.parser_pool`, alone: it imports nothing of the project, and its main module is never the
parent's. A request is a line of JSON on stdin: `{"path", "offset", "length", "seconds", "wait"}` (offset null: the
whole file; seconds of a processor and by the clock), its answer a line on stdout: `{"tree": …}` or `{"error": [kind,
section, message]}`. JSON, not pickle: what a worker says after a hostile file must not run in the parent.

Format: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html. h5py's low-level calls take a third of
the time of its visititems; H5Ovisit follows hard links only and meets each object once, so that neither links out of
the file nor cycles are followed.
"""

import io
import itertools
import json
import os
import signal
import sys
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5f, h5g, h5l, h5o, h5t

MAX_OBJECTS = 100_000
MAX_DEPTH = 64
MAX_NAME = 65_536  # bytes of a path inside the file
MAX_NAMES = 32 << 20  # bytes of all paths
MAX_TEXT = 8 << 20  # bytes of an attribute that is read
MAX_VALUES = 256  # integer scalars that are read
CONFIGS: dict[str, tuple[tuple[str, type | tuple[type, ...]], ...]] = {  # what load_model reads beside the values
    "model_config": (("class_name", str), ("config", (dict, list))),  # a list: Sequential of Keras 1 and 2.0
    "training_config": (("optimizer_config", (dict, str)),),
}
MAX_HOPS = 16  # soft links that lead on to others
ELSEWHERE = "it lies in another file, which is not followed"
LINKED = "it is a link: newer Keras follows none, older Keras and tf-keras do"
MEMORY = 160 << 20  # bytes that a file may cost beyond what the imports took


class Refused(Exception):  # noqa: N818 (an answer, not a mishap)
    """A file is given up: kind, section, message."""


class Window(io.RawIOBase):
    """A range of a file as a file of its own: a stored member of a zip."""

    def __init__(self, path: str, offset: int, length: int) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.offset = offset
        self.length = length
        self.position = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    seekable = readable

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move within the window."""
        self.position = offset + (0, self.position, self.length)[whence]
        return self.position

    def tell(self) -> int:
        """The position within the window."""
        return self.position

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (any writable buffer)
        """Fill a buffer, never from beyond the window."""
        room = max(0, min(len(buffer), self.length - self.position))
        count = os.preadv(self.descriptor, [memoryview(buffer)[:room]], self.offset + self.position)
        self.position += count
        return count

    def close(self) -> None:
        """Give the file back."""
        if not self.closed:
            os.close(self.descriptor)
        super().close()


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


def dataset(root: Any, name: bytes, budget: list[int]) -> list[Any]:  # noqa: ANN401
    """[name, dtype, shape, stored bytes, offset or null, value of an integer scalar or null]."""
    found = h5d.open(root, name)
    type_id = found.get_type()
    kind = kind_of(type_id)
    if kind.startswith("opaque") and h5a.exists(found, b"dtype"):
        kind = text_attribute(found, b"dtype") or kind
    shape, value = found.shape, None
    if kind[:3] in ("int", "uin") and shape == () and budget[0] > 0:
        budget[0] -= 1
        value = integer(found)
    size = type_id.get_size()
    for extent in shape or ():
        size *= extent
    return [text(name), kind, shape, size, found.get_offset(), value]


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


def tree(file: Any) -> dict[str, Any]:  # noqa: ANN401
    """What `core.formats.h5_tree.Tree` holds."""
    root = h5g.open(file, b"/")
    datasets, groups = names_of(root)
    budget = [MAX_VALUES]
    attributes = {name: text_attribute(root, name.encode()) for name in ("keras_version", "backend", "training_config")}
    marks = [name for name in ("model_config", "layer_names", "layer_names0") if h5a.exists(root, name.encode())]
    weight_groups = [text(name) for name in groups if name.count(b"/") < 2 and _has_weight_names(h5g.open(root, name))]
    rows = [dataset(root, name, budget) for name in datasets]
    titles = {
        text(name[:-2]): text_attribute(h5g.open(root, name[:-2]), b"name")
        for name, row in zip(datasets, rows, strict=True)
        if name.endswith(b"vars/0") and row[5] is not None
    }
    return {
        "broken": broken(root, set(datasets), marks),
        "datasets": rows,
        "groups": [text(name) for name in groups if name.count(b"/") < 2],
        "attributes": {name: value for name, value in attributes.items() if value is not None},
        "marks": marks,
        "weight_groups": weight_groups,
        "titles": {place: title for place, title in titles.items() if title is not None},
        "faults": {name: fault for name in CONFIGS if (fault := config_fault(root, name.encode())) is not None},
    }


def config_fault(root: Any, name: bytes) -> str | None:  # noqa: ANN401
    """Why Keras cannot make a model (or its optimizer) of an attribute; None where it can, or where it is absent."""
    if not h5a.exists(root, name):
        return None
    value = bytes_attribute(root, name)
    if value is None:
        found = h5a.open(root, name)
        is_text = found.get_type().get_class() == h5t.STRING
        is_long = is_text and found.get_space().get_simple_extent_npoints() == 1
        return None if is_long else "it holds no text"
    try:
        config = json.loads(value.decode())
    except (ValueError, RecursionError) as error:
        return f"no JSON: {str(error)[:200]}"
    if not isinstance(config, dict):
        return "it is no object"
    missing = (part for part, kind in CONFIGS[name.decode()] if not isinstance(config.get(part), kind))
    return next((f"it has no {part}" for part in missing), None)


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


def join(place: bytes, name: bytes) -> bytes:
    """A path inside the file."""
    return place + b"/" + name if place else name


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


def _has_weight_names(group: Any) -> bool:  # noqa: ANN401
    return bool(h5a.exists(group, b"weight_names") or h5a.exists(group, b"weight_names0"))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """One file's tree, or why there is none."""
    window = None
    try:
        if request["offset"] is None:
            file = h5f.open(os.fsencode(request["path"]), h5f.ACC_RDONLY)
        else:
            window = Window(request["path"], request["offset"], request["length"])
            file = h5py.File(window, "r").id
        try:
            return {"tree": tree(file)}
        finally:
            file.close()
    except Refused as refused:
        return {"error": list(refused.args)}
    except Exception as error:  # noqa: BLE001 (the library raises all kinds over damaged files)
        if isinstance(error, MemoryError) or "memory allocation failed" in str(error):  # the library's own words
            return {"error": ["too-large", "tree", "reading it takes more memory than a file may cost"]}
        if isinstance(error, OSError):
            return {"error": ["corrupt" if error.errno is None else "unreadable", "tree", str(error)]}
        return {"error": ["corrupt", "tree", f"{type(error).__name__}: {error}"]}
    finally:
        if window is not None:
            window.close()


def limit_memory() -> None:
    """Let no file take more than MEMORY beyond what the process has now."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as status:
            now = int(status.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return  # no such limit on this system: the watchdog remains


def main() -> None:
    """Answer until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends this process by closing stdin
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand among the answers
    limit_memory()
    answers.write(b'{"ready": true}\n')
    answers.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        # The kernel ends a read that hangs in native code, also when the parent is gone.
        signal.setitimer(signal.ITIMER_PROF, request["seconds"])
        signal.setitimer(signal.ITIMER_REAL, request["wait"] + 1)
        reply = json.dumps(answer(request)).encode()
        for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(timer, 0)
        answers.write(reply + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
