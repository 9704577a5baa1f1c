"""Files of arrays matched with a Keras model: by what the model itself would write."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.finite import non_finite_names
from waypoint_resume.loading import LoadPlan
from waypoint_resume.objects import keras_generation, kind_of, passes_over


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


def arrays_plan(
    theirs: dict[str, Any],
    write: Callable[[], dict[str, Any]],
    load: Callable[[], None],
    step: int | None,
    is_optimizer: Callable[[str], bool],
) -> LoadPlan:
    """A plan for a file whose arrays were read: the model writes its own, which are compared before and after."""
    own = write()
    theirs = {name: _counter_like(value, own.get(name)) for name, value in theirs.items()}
    differences, notes = _compare(theirs, own, is_optimizer)
    return LoadPlan(
        load=load,
        check=lambda: _unequal(theirs, write()),
        read=lambda: None,  # reading the file was reading everything
        non_finite=lambda: non_finite_names(
            (name, value, functools.partial(own.__getitem__, name))
            for name, value in theirs.items()
            if name in own and not isinstance(value, str) and not passes_over(name)
        ),
        differences=differences,
        notes=notes,
        step=step,
        has_optimizer=any(map(is_optimizer, theirs)),
    )


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
