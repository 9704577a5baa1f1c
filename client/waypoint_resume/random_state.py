"""The random generators that a training draws from: read, and put back so that the stream goes on where it was.

Only frameworks that the job has imported are looked at. What a framework lets nobody read (the stateful random
operations of TensorFlow 1, which tf-keras uses unless told otherwise) is named as not kept.
"""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from waypoint_resume.objects import keras_package

Told = list[str]
LEGACY = (
    "{layers} draws from TensorFlow's stateful operations, whose state nobody can read: call {package}.backend."
    "experimental.enable_tf_random_generator() before the model is made, and it is kept"
)


def read_random(models: Sequence[Any]) -> tuple[dict[str, Any], Told]:
    """The state of every generator by its kind, as plain data; and those that cannot be kept, as text for people."""
    found: dict[str, Any] = {}
    told: Told = []
    for name, (read, _) in KINDS.items():
        try:
            value = read(models)
        except Exception as error:  # noqa: BLE001 - private parts of frameworks differ by version
            told.append(f"{name}: {error}")
            continue
        if value is not None:
            found[name] = value
    return found, told + _unreadable(models)


def put_back_random(models: Sequence[Any], kept: Mapping[str, Any]) -> tuple[Told, Told]:
    """Put generators back: the kinds that go on where they were, and what does not and why."""
    done, told = [], []
    for name, value in kept.items():
        if name not in KINDS:
            told.append(f"{name}: unknown here")
            continue
        try:
            KINDS[name][1](models, value)
        except Exception as error:  # noqa: BLE001 - a state of another version of Python or of a framework
            told.append(f"{name}: {error}")
        else:
            done.append(name)
    return done, told + _unreadable(models)


def _unreadable(models: Sequence[Any]) -> Told:
    """The layers of a Keras 2 whose randomness cannot be read, and what to call that it can, as text for people."""
    by_package: dict[str | None, list[str]] = {}
    for model in models:
        for layer in layers_of(model):
            kind = getattr(getattr(layer, "_random_generator", None), "_rng_type", None)
            if kind == "legacy_stateful" and _is_random(layer):
                by_package.setdefault(keras_package(layer), []).append(str(layer.name))
    return [LEGACY.format(layers=", ".join(layers), package=package) for package, layers in by_package.items()]


def layers_of(model: Any) -> list[Any]:  # noqa: ANN401
    """Every layer of a Keras model, those inside of others too."""
    flatten = getattr(model, "_flatten_layers", None)
    return list(flatten()) if callable(flatten) else []


def _is_random(layer: Any) -> bool:  # noqa: ANN401
    """Whether a layer draws numbers when it trains: recurrent ones have a generator and use it for dropout only."""
    rates = [getattr(layer, name, None) for name in ("rate", "stddev", "dropout", "recurrent_dropout")]
    known = [rate for rate in rates if isinstance(rate, (int, float))]
    return any(known) if known else True


def _read_python(_models: Sequence[Any]) -> Any:  # noqa: ANN401
    version, numbers, gauss = random.getstate()
    return {"version": version, "numbers": _words(numbers), "gauss": gauss}


def _set_python(_models: Sequence[Any], kept: Any) -> None:  # noqa: ANN401
    random.setstate((kept["version"], _numbers(kept["numbers"]), kept["gauss"]))


def _read_numpy(_models: Sequence[Any]) -> Any:  # noqa: ANN401
    numpy = sys.modules.get("numpy")
    return None if numpy is None else numpy.random.get_state(legacy=False)


def _set_numpy(_models: Sequence[Any], kept: Any) -> None:  # noqa: ANN401
    import numpy as np

    np.random.set_state(kept)


def _read_seeds(models: Sequence[Any]) -> Any:  # noqa: ANN401
    return [{"name": name, "state": _array(state)} for name, state in _seed_states(models)] or None


def _set_seeds(models: Sequence[Any], kept: Any) -> None:  # noqa: ANN401
    own = list(_seed_states(models))
    if len(own) != len(kept):
        raise ValueError(f"the model has {len(own)} now, {len(kept)} when it was saved")
    by_name = {record["name"]: record["state"] for record in kept}
    is_named = len(by_name) == len(kept) and {name for name, _ in own} == set(by_name)
    values = [by_name[name] if is_named else record["state"] for (name, _), record in zip(own, kept)]
    if any(tuple(state.shape) != value.shape for (_, state), value in zip(own, values)):
        raise ValueError("the model has others now than when it was saved")
    for (_, state), value in zip(own, values):
        state.assign(value)


def _seed_states(models: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The states of Keras 3's seed generators, and of the generators in tf-keras' layers, each once."""
    seen: set[int] = set()
    for model in models:
        own = getattr(model, "variables", ())
        states = [item for item in (own() if callable(own) else own) if _variable_name(item) == "seed_generator_state"]
        for layer in layers_of(model):
            generator = getattr(getattr(layer, "_random_generator", None), "_generator", None)
            states += [generator.state] if generator is not None else []
        for number, state in enumerate(states):
            if id(state) not in seen:
                seen.add(id(state))
                yield str(getattr(state, "path", f"{model.name}/{number}")), state


def _variable_name(variable: Any) -> str:  # noqa: ANN401
    return str(getattr(variable, "name", "")).partition(":")[0].rpartition("/")[2]


def _keras_state() -> Any:  # noqa: ANN401
    return sys.modules.get("keras.src.backend.common.global_state")


def _read_keras(_models: Sequence[Any]) -> Any:  # noqa: ANN401
    state = _keras_state()
    made = None if state is None else state.get_global_attribute("global_seed_generator")
    return None if made is None else _array(made.state)


def _set_keras(_models: Sequence[Any], kept: Any) -> None:  # noqa: ANN401
    from keras.src.random.seed_generator import global_seed_generator

    global_seed_generator().state.assign(kept)


def _seeds_of_keras2(package: str) -> tuple[Callable[[Sequence[Any]], Any], Callable[[Sequence[Any], Any], None]]:
    """What reads, and what puts back, the generator of layers' seeds of a Keras 2; read, it is None in a Keras 3."""
    module = f"{package}.src.backend"

    def read(_models: Sequence[Any]) -> Any:  # noqa: ANN401
        made = getattr(getattr(sys.modules.get(module), "_SEED_GENERATOR", None), "generator", None)
        return None if made is None else _state_of(made)

    def put_back(_models: Sequence[Any], kept: Any) -> None:  # noqa: ANN401
        importlib.import_module(module)._SEED_GENERATOR.generator = _generator(kept)  # noqa: SLF001

    return read, put_back


def _tf_global() -> Any:  # noqa: ANN401
    return sys.modules.get("tensorflow.python.ops.stateful_random_ops")


def _read_tf_global(_models: Sequence[Any]) -> Any:  # noqa: ANN401
    made = getattr(_tf_global(), "global_generator", None)
    return None if made is None else {"algorithm": int(made.algorithm), "state": made.state.numpy()}


def _set_tf_global(_models: Sequence[Any], kept: Any) -> None:  # noqa: ANN401
    import tensorflow as tf

    made = getattr(_tf_global(), "global_generator", None)
    if made is None or int(made.algorithm) != kept["algorithm"]:
        tf.random.set_global_generator(tf.random.Generator(state=kept["state"], alg=kept["algorithm"]))
    else:
        made.state.assign(kept["state"])


def _tf_context() -> Any:  # noqa: ANN401
    module = sys.modules.get("tensorflow.python.eager.context")
    return None if module is None else module.context()


def _read_tf_seeds(_models: Sequence[Any]) -> Any:  # noqa: ANN401
    context = _tf_context()
    made = getattr(context, "_rng", None)
    return None if made is None else {"seed": context._seed, "counter": _state_of(made)}  # noqa: SLF001


def _set_tf_seeds(_models: Sequence[Any], kept: Any) -> None:  # noqa: ANN401
    import tensorflow as tf

    context = _tf_context()
    if context._seed != kept["seed"]:  # noqa: SLF001
        tf.random.set_seed(kept["seed"])
    context._rng = _generator(kept["counter"])  # noqa: SLF001


def _state_of(generator: random.Random) -> dict[str, Any]:
    version, numbers, gauss = generator.getstate()
    return {"version": version, "numbers": _words(numbers), "gauss": gauss}


def _generator(kept: Mapping[str, Any]) -> random.Random:
    made = random.Random()  # noqa: S311 - the kind that TensorFlow draws its seeds with
    made.setstate((kept["version"], _numbers(kept["numbers"]), kept["gauss"]))
    return made


def _words(numbers: Sequence[int]) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def _numbers(words: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(words[place : place + 4], "little") for place in range(0, len(words), 4))


def _array(variable: Any) -> Any:  # noqa: ANN401
    import numpy as np

    return np.array(variable.numpy() if hasattr(variable, "numpy") else variable)


# Each kind by the name that people see.
KINDS: dict[str, tuple[Callable[[Sequence[Any]], Any], Callable[[Sequence[Any], Any], None]]] = {
    "Python's random": (_read_python, _set_python),
    "NumPy": (_read_numpy, _set_numpy),
    "the model's seed generators": (_read_seeds, _set_seeds),
    "Keras' global seed generator": (_read_keras, _set_keras),
    "tf-keras' seeds": _seeds_of_keras2("tf_keras"),
    "Keras 2's seeds": _seeds_of_keras2("keras"),
    "TensorFlow's global generator": (_read_tf_global, _set_tf_global),
    "TensorFlow's operation seeds": (_read_tf_seeds, _set_tf_seeds),
}
