"""What Keras' callbacks remember: read as data, and given back to the same callbacks of a later start.

Keras 3 and Keras 2 name these attributes alike where both have them. A callback of the job's own is kept if it has
`get_state()`, which gives plain data (numbers, text, lists, dictionaries, arrays), and `set_state(data)`; else what it
holds in plain attributes is (`own_callbacks.py`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from waypoint_resume.own_callbacks import OF_KERAS, give_own, read_own
from waypoint_resume.values import Unchanging, UnkeptError, encode

# Class → attributes, of Keras 3 (3.10 to 3.15) and Keras 2. What has none remembers nothing that training depends on.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "EarlyStopping": ("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
    "ReduceLROnPlateau": ("wait", "cooldown_counter", "best"),
    "ModelCheckpoint": (
        "best",
        "_batches_seen_since_last_saving",
        "_last_batch_seen",
        "_current_epoch",
        "epochs_since_last_save",
    ),
    "OrbaxCheckpoint": ("best", "_batches_seen_since_last_saving", "_last_batch_seen", "_total_batches_seen"),
    "BackupAndRestore": ("_batches_seen_since_last_saving", "_last_batch_seen", "_current_epoch", "_batches_count"),
    "TensorBoard": ("_global_train_batch", "_global_test_batch", "_previous_epoch_iterations"),
    "SwapEMAWeights": ("_ema_weights_in_model",),
    "BaseLogger": ("seen", "totals"),
    "History": ("history", "epoch"),
    "LearningRateScheduler": (),
    "CSVLogger": (),
    "LambdaCallback": (),
    "ProgbarLogger": (),
    "RemoteMonitor": (),
    "TerminateOnNaN": (),
}
_SETTINGS = ("monitor", "mode", "filepath", "directory", "log_dir", "filename", "backup_dir")
_PATHS = frozenset(_SETTINGS[2:])
_LONGEST_HISTORY = 64 << 10  # characters: each state holds it anew
_SILENT = frozenset({"History", "ProgbarLogger", "BaseLogger"})  # fit() adds them itself
_BEST: MutableMapping[Any, Unchanging] = WeakKeyDictionary()  # by callback
Told = list[str]


def read_memory(callbacks: Sequence[Any]) -> tuple[list[dict[str, Any]], Told]:
    """What each callback remembers, in their order; and what cannot be kept, as text for people."""
    found, told = [], []
    for callback in callbacks:
        record: dict[str, Any] = {"class": _class_name(callback), "settings": settings_of(callback)}
        try:
            memory = _memory_of(callback)
            encode(memory, {})
        except UnkeptError as error:
            memory = None
            told.append(f"{type(callback).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - a get_state() of the job's own
            memory = None
            told.append(f"{type(callback).__name__}: get_state() failed: {error}")
        own = None if _has_own_state(callback) or is_of_keras(callback) else read_own(callback)
        found.append({**record, "memory": memory, "own": own})
    return found, told


def put_back_memory(callbacks: Sequence[Any], kept: Sequence[Mapping[str, Any]]) -> tuple[Told, Told]:
    """Give callbacks what they remembered: the names of those that have it again, and what is not put back and why.

    Call it when every on_train_begin has run, for they reset what they remember.
    """
    pairs, told = match_callbacks(callbacks, kept)
    done = []
    for callback, record in pairs:
        name, memory, own = type(callback).__name__, record.get("memory"), record.get("own")
        if memory is None and own is None:
            if not _is_stateless(callback):
                told.append(f"{name}: what it remembers is not kept; give it get_state() and set_state()")
            continue
        try:
            if memory is not None:
                _give(callback, memory)
            told += [f"{name}: {text}" for text in (give_own(callback, own) if own is not None else ())]
        except Exception as error:  # noqa: BLE001 - a set_state() of the job's own, a value of another kind
            told.append(f"{name}: {error}")
        else:
            if (memory or _mapping(own).get("changed")) and name not in _SILENT:
                done.append(name)
    return done, told


def match_callbacks(
    callbacks: Sequence[Any], kept: Sequence[Mapping[str, Any]]
) -> tuple[list[tuple[Any, Mapping[str, Any]]], Told]:
    """Each callback with its record, by class, settings and order; and what was added, removed or changed, as text."""
    left, told = list(enumerate(kept)), []
    found: dict[int, tuple[int, Mapping[str, Any]]] = {}
    for is_same in (_has_same_settings, _has_same_class):
        for place, callback in enumerate(callbacks):
            if place in found:
                continue
            match = next((item for item in left if is_same(callback, item[1])), None)
            if match is not None:
                found[place] = match
                left.remove(match)
    pairs = []
    for place, callback in enumerate(callbacks):
        name = type(callback).__name__
        if place not in found:
            if not _is_stateless(callback):
                told.append(f"{name} is new: it begins without a memory")
            continue
        record = found[place][1]
        changed = [s for s in _SETTINGS if settings_of(callback).get(s) != _mapping(record.get("settings")).get(s)]
        if {"monitor", "mode"} & set(changed):
            told.append(f"{name} has another {' and '.join(changed)} now: it begins without a memory")
        else:
            pairs.append((callback, record))
    told += [f"{_short(record)} is gone" for _, record in left if record.get("memory")]
    order = [found[place][0] for place in sorted(found)]
    if order != sorted(order):
        told.append("The callbacks come in another order than when this was saved: each sees what those before it did")
    return pairs, told


def _memory_of(callback: Any) -> dict[str, Any] | None:  # noqa: ANN401
    if _has_own_state(callback):
        return {"state": callback.get_state()}
    known = _known_class(callback)
    if known is None:
        if is_of_keras(callback):
            raise UnkeptError("it is not known here what it remembers")
        return None
    memory = {name: _plain(getattr(callback, name)) for name in ATTRIBUTES[known] if hasattr(callback, name)}
    if memory.get("best_weights") is not None:
        memory["best_weights"] = _unchanging(callback, memory["best_weights"])
    if known == "History" and len(repr(memory)) > _LONGEST_HISTORY:
        raise UnkeptError("it is too long; the history that fit() returns begins anew")
    return memory


def _unchanging(callback: Any, weights: Any) -> Unchanging:  # noqa: ANN401
    """The best weights, which EarlyStopping replaces and never changes: they are hashed when they are new."""
    known = _BEST.get(callback)
    if known is None or known.value is not weights:
        known = _BEST[callback] = Unchanging(weights)
    return known


def _give(callback: Any, memory: Mapping[str, Any]) -> None:  # noqa: ANN401
    if _has_own_state(callback):
        if set(memory) != {"state"}:
            raise UnkeptError("what was kept is not what get_state() gives")
        callback.set_state(memory["state"])
        return
    known = _known_class(callback)
    wrong = [name for name in memory if known is None or name not in ATTRIBUTES[known]]
    if wrong:
        raise UnkeptError(f"{', '.join(wrong)} is nothing that it remembers")
    if memory.get("best_weights") is not None:
        _require_fitting(callback.model, memory["best_weights"])
    for name, value in memory.items():
        own = getattr(callback, name, None)
        if name in ("history", "epoch") and own is not None:  # the model holds the same object
            own.clear()
            own.update(value) if isinstance(own, dict) else own.extend(value)
        else:
            setattr(callback, name, value)


def _require_fitting(model: Any, weights: Any) -> None:  # noqa: ANN401
    own = [(tuple(item.shape), str(getattr(item.dtype, "name", item.dtype))) for item in model.weights]
    kept = [(tuple(item.shape), item.dtype.name) for item in weights]
    if [shape for shape, _ in own] != [shape for shape, _ in kept]:
        raise UnkeptError("its best weights do not fit the model")


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A value of a callback that may be a tensor or a variable, as NumPy's."""
    return value.numpy() if hasattr(value, "numpy") else value


def _has_own_state(callback: object) -> bool:
    return callable(getattr(callback, "get_state", None)) and callable(getattr(callback, "set_state", None))


def _is_stateless(callback: object) -> bool:
    """Whether there is nothing to keep: one of Keras' own without a memory, or one that holds nothing of its own."""
    if _has_own_state(callback):
        return False
    known = _known_class(callback)
    return not ATTRIBUTES[known] if known is not None else set(vars(callback)) <= OF_KERAS


def is_of_keras(callback: object) -> bool:
    """Whether a callback is one of Keras' own, not a subclass."""
    return type(callback).__module__.partition(".")[0] in ("keras", "tf_keras")


def _known_class(callback: object) -> str | None:
    """The nearest class of Keras' own that is known here."""
    own = (kind for kind in type(callback).__mro__ if kind.__module__.partition(".")[0] in ("keras", "tf_keras"))
    return next((kind.__name__ for kind in own if kind.__name__ in ATTRIBUTES), None)


def _class_name(callback: object) -> str:
    kind = type(callback)
    return kind.__name__ if is_of_keras(callback) else f"{kind.__module__}.{kind.__qualname__}"


def settings_of(callback: object) -> dict[str, str]:
    """What tells callbacks of one class apart. Of a path only the last part: a run may have been moved."""
    found = {}
    for name in _SETTINGS:
        value = getattr(callback, name, None)
        if isinstance(value, (str, os.PathLike)):
            text = os.fspath(value)
            found[name] = os.path.basename(str(text).rstrip("/")) if name in _PATHS else str(text)
    comparing = getattr(getattr(callback, "monitor_op", None), "__name__", None)
    if "mode" not in found and comparing in ("less", "greater"):  # Keras 2 keeps no mode
        found["mode"] = str(comparing)
    return found


def _has_same_settings(callback: object, record: Mapping[str, Any]) -> bool:
    return _has_same_class(callback, record) and record.get("settings") == settings_of(callback)


def _has_same_class(callback: object, record: Mapping[str, Any]) -> bool:
    return bool(record.get("class") == _class_name(callback))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _short(record: Mapping[str, Any]) -> str:
    return str(record.get("class")).rpartition(".")[2]
