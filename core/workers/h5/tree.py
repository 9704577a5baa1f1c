"""The tree of an HDF5 file, as `core.formats.h5_tree.Tree` holds it."""

import json
from typing import Any

from h5py import h5a, h5d, h5g, h5t

from core.workers.h5.objects import bytes_attribute, integer, kind_of, names_of, text, text_attribute
from core.workers.h5.weights import broken

MAX_VALUES = 256  # integer scalars that are read
CONFIGS: dict[str, tuple[tuple[str, type | tuple[type, ...]], ...]] = {  # what load_model reads beside the values
    "model_config": (("class_name", str), ("config", (dict, list))),  # a list: Sequential of Keras 1 and 2.0
    "training_config": (("optimizer_config", (dict, str)),),
}


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


def _has_weight_names(group: Any) -> bool:  # noqa: ANN401
    return bool(h5a.exists(group, b"weight_names") or h5a.exists(group, b"weight_names0"))
