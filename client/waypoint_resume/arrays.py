"""Files of arrays matched with a Keras model: by what the model itself would write."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.finite import non_finite_names
from waypoint_resume.freezing import OTHERS_TRAINED, told_other_class
from waypoint_resume.live import Live
from waypoint_resume.loading import NO_OPTIMIZER_YET, WEIGHTS_ALONE, LoadPlan
from waypoint_resume.objects import keras_generation, kind_of, passes_over
from waypoint_resume.reading_alone import reading_alone

Shapes = Sequence[tuple[int, ...]]


def require_generation(model: Any, written: int, path: Path) -> None:  # noqa: ANN401
    """Raise ResumeError unless the Keras that wrote a file is the one that the model is made of."""
    here = keras_generation(model)
    if not here:
        raise ResumeError(f"{path.name} is a Keras file: pass the Keras model as model= to resume().")
    if written and written != here:
        names = {2: "tf-keras (Keras 2)", 3: "Keras 3"}
        raise ResumeError(
            f"{names.get(written, written)} wrote {path.name}, and the model is made of {names[here]}, which does not "
            "restore it: go on with the framework that wrote it."
        )


def datasets_of(group: Any) -> dict[str, Any]:  # noqa: ANN401 - h5py has no types
    """Every dataset of an HDF5 group by its path, as an array; and the titles of the optimizers, as text."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:  # noqa: ANN401
        if hasattr(item, "dtype"):
            found[name] = item[()]
        elif name.endswith("optimizer/vars") and "name" in item.attrs:
            found[f"{name} (optimizer)"] = re.sub(r"_\d+$", "", str(item.attrs["name"]))

    group.visititems(visit)
    return found


def _compare(
    theirs: Mapping[str, Any], own: Mapping[str, Any], is_optimizer: Callable[[str], bool]
) -> tuple[list[str], list[str]]:
    """Differences and notes between a file's arrays and those that the model would write."""
    differences, passed = [], 0
    restarts = any(map(is_optimizer, own)) and not any(map(is_optimizer, theirs))
    for name in dict.fromkeys([*theirs, *own]):
        if passes_over(name):
            passed += name in theirs
        elif name not in own:
            differences.append(f"unexpected: {name}, {_shown(theirs[name])}")
        elif name not in theirs:
            if not (restarts and is_optimizer(name)):
                differences.append(f"missing from the file: {name}, {_shown(own[name])}")
        elif _shown(theirs[name]) != _shown(own[name]):
            kind = "slot" if isinstance(own[name], str) else "shape or dtype"
            told = f"is {_shown(own[name])} in the model, {_shown(theirs[name])} in the file"
            differences.append(f"{kind}: {name} {told}")
    told = f"{passed} values of metrics are not restored: every epoch begins them anew."
    return differences, [told] if passed else []


def _shown(value: Any) -> str:  # noqa: ANN401
    return value if isinstance(value, str) else kind_of(value.shape, value.dtype)


def _unequal(theirs: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """The names in both whose values differ."""
    shared = [name for name in theirs if name in own and not passes_over(name)]
    return [n for n in shared if not isinstance(own[n], str) and theirs[n].tobytes() != own[n].tobytes()]


@dataclass
class Arrays:
    """A file of arrays that was read. `write` gives those that the model itself would write, `load` loads the file, and
    `load_over` the model's own with these values in the place of its own, so that all else stays as it is.
    `is_optimizer` tells an optimizer's arrays by their names; `changes` says which layers, or optimizers, were others
    when this was saved, from the shapes of the optimizer's values there and here, and whether something else differs.
    """

    values: dict[str, Any]
    write: Callable[[], dict[str, Any]]
    load: Callable[[], None]
    load_over: Callable[[dict[str, Any]], None]
    step: int | None
    is_optimizer: Callable[[str], bool]
    changes: Callable[[Shapes, Shapes, bool], list[str]]
    learning_rates: list[float] = field(default_factory=list)

    def written(self) -> dict[str, Any]:
        """What the model itself would write: of several workers the chief alone asks, before it has chosen."""
        with reading_alone():
            return self.write()


def arrays_plan(found: Arrays, live: Live, *, weights_only: bool = False) -> LoadPlan:
    """A plan for a file of arrays: what the model itself would write is compared before and after. Of a file the
    weights alone are taken where that is asked for, or where the model has no optimizer.
    """
    own, is_optimizer = found.written(), found.is_optimizer
    theirs = {name: _counter_like(value, own.get(name)) for name, value in found.values.items()}
    has_optimizer = any(map(is_optimizer, theirs))
    weights = {name: value for name, value in theirs.items() if not is_optimizer(name)}
    mine = {name: value for name, value in own.items() if not is_optimizer(name)}
    different, notes = _compare(weights, mine, is_optimizer)
    leaves_it = weights_only or (has_optimizer and not live.optimizers)
    differences = different
    if leaves_it:
        theirs = weights
    else:
        differences, notes = _compare(theirs, own, is_optimizer)
        shapes = (_slot_shapes(theirs, is_optimizer), _slot_shapes(own, is_optimizer))
        if has_optimizer and live.optimizers and not different:
            changes = found.changes(*shapes, bool(differences)) or list(_other_titles(theirs, own))
            if differences and not changes:
                changes = [OTHERS_TRAINED.format(theirs=len(shapes[0]), own=len(shapes[1]))]
            differences = [*changes, *differences]
    before = own if leaves_it else {}

    def check() -> list[str]:
        after = found.written()
        left = {name: value for name, value in before.items() if is_optimizer(name)}
        return _unequal({**theirs, **left}, after)

    restarts = WEIGHTS_ALONE if weights_only else NO_OPTIMIZER_YET
    return LoadPlan(
        load=(lambda: found.load_over(_values_of(theirs))) if leaves_it else found.load,
        check=check,
        read=lambda: None,  # reading the file was reading everything
        non_finite=lambda: non_finite_names(
            (name, value, functools.partial(own.__getitem__, name))
            for name, value in theirs.items()
            if name in own and not isinstance(value, str) and not passes_over(name)
        ),
        differences=differences,
        notes=notes,
        step=found.step,
        has_optimizer=has_optimizer and not leaves_it,
        learning_rates=found.learning_rates,
        restarts=restarts if leaves_it else None,
        weights_only=weights_only,
        weights_fit=not different,
    )


def _other_titles(theirs: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each optimizer that has another title in the file."""
    for name, title in own.items():
        if isinstance(title, str) and name.endswith(" (optimizer)") and theirs.get(name, title) != title:
            yield told_other_class(title, theirs[name])


def _slot_shapes(values: Mapping[str, Any], is_optimizer: Callable[[str], bool]) -> Shapes:
    return [tuple(value.shape) for name, value in values.items() if is_optimizer(name) and not isinstance(value, str)]


def _values_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays that are loaded: neither titles nor metrics."""
    return {name: value for name, value in values.items() if not isinstance(value, str) and not passes_over(name)}


def write_over(group: Any, values: Mapping[str, Any]) -> None:  # noqa: ANN401 - h5py has no types
    """Put values in the place of those of the datasets of an HDF5 group, by their paths."""
    for name, value in values.items():
        group[name][()] = value


def _counter_like(value: Any, own: Any) -> Any:  # noqa: ANN401
    """A count of steps in the model's type, if it fits: backends count in integers of 64 bits or of 32."""
    if getattr(value, "shape", None) != () or getattr(own, "shape", None) != ():
        return value
    if not {value.dtype.kind, own.dtype.kind} <= {"i", "u"}:
        return value
    cast = value.astype(own.dtype)
    return cast if int(cast) == int(value) else value


def quietly(call: Callable[[], object]) -> None:
    """Without the warnings of what the notes say already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call()
