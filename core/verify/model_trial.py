"""Whether Keras itself loads a model: its config makes one, and the values in the file fit that one.

Part of a trial restore. A config is made into objects only where all of it are Keras' own layers and what they are made
of, none of which runs code or opens files that the config names: no Lambda, no vocabulary, nothing of a job's own.
Where something else stands in it, and where that Keras is not installed, nothing is told.
"""

import importlib
import importlib.util
import json
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import h5py

from core.base.facts import Facts
from core.formats.keras_zip import CONFIG, MAX_CONFIG
from core.formats.restore_calls import by_keras_2, is_keras_told

# What runs code, opens files or calls functions by the names that a config gives.
_DENIED = frozenset(
    {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "StringLookup", "IntegerLookup"}
    | {"TextVectorization", "IndexLookup", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"}
)
_ROOMS = ("layers", "models", "initializers", "regularizers", "constraints", "activations", "optimizers")
_ROOMS_3 = ("dtype_policies",)
# Where Keras says that its own classes lie. Functions of other modules are never called.
_OWN_MODULE = re.compile(
    r"(?:tf_)?keras(?:\.src)?(?:\.(?:layers|models|engine|initializers|regularizers|constraints|activations|optimizers"
    r"|losses|metrics|dtype_policies)(?:\..+)?)?|builtins"
)
_OPERATIONS = re.compile(r"keras\.src\.ops\.(?:numpy|nn|math)")
_PLAIN = frozenset({"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"})
_MOST_MEMORY = 6  # times the bytes of the files that a model may take, and at least:
_LEAST_MEMORY = 8 << 30


class Fit(NamedTuple):
    """What Keras said: whether it loads the model (None: not told), by which library, and why not."""

    fits: bool | None
    library: str
    why: str = ""


def fit_of(path: str, facts: Facts) -> Fit:
    """Let the Keras that wrote a model load it, without what it was compiled with; both, where the file does not tell
    which one that was.
    """
    if by_keras_2(facts):
        return _loaded(path, is_old=True)
    found = _loaded(path, is_old=False)
    if found.fits or is_keras_told(facts):
        return found
    old = _loaded(path, is_old=True)
    return old if old.fits is not False else found


def _loaded(path: str, *, is_old: bool) -> Fit:
    package, shown = ("tf_keras", "tf-keras") if is_old else ("keras", "Keras")
    try:
        if not is_old:
            os.environ["KERAS_BACKEND"] = _backend()
        keras = importlib.import_module(package)
    except ImportError:
        return Fit(None, shown, f"{shown} is not installed here")
    library = f"{shown} {keras.__version__}"
    try:
        config = _config(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        return Fit(False, library, str(error))
    known = _known(keras, is_old=is_old)
    for name in _strange(config, known):
        return Fit(None, library, f"its config names {name}, which is not made here")
    _limit_memory(path)
    try:
        keras.models.load_model(path, compile=False)
    except Exception as error:  # noqa: BLE001 (the library's own words are the answer)
        words = str(error).strip().partition("\n")[0][:500] or type(error).__name__
        return Fit(False, library, words)
    return Fit(True, library)


def _backend() -> str:
    """The first that is installed of those for which Keras makes models."""
    for name in ("tensorflow", "jax", "torch"):
        with suppress(ImportError, ValueError):
            if importlib.util.find_spec(name) is not None:
                return name
    raise ImportError("Keras needs a backend")


def _config(path: str) -> Any:  # noqa: ANN401 (JSON is anything)
    """The model's config, whole."""
    if os.path.isdir(path):
        with open(f"{path}/{CONFIG}", "rb") as file:
            return json.loads(file.read(MAX_CONFIG))
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive, archive.open(CONFIG) as member:
            return json.loads(member.read(MAX_CONFIG))
    with h5py.File(path, "r") as file:
        return json.loads(file.attrs["model_config"])


def _known(keras: Any, *, is_old: bool) -> frozenset[str]:  # noqa: ANN401 (Keras may be absent)
    """The names of Keras' own classes and functions that a config may name."""
    rooms = _ROOMS if is_old else _ROOMS + _ROOMS_3
    names = {name for room in rooms for name in dir(getattr(keras, room)) if not name.startswith("_")}
    return frozenset(names | {"Functional", "Sequential", "Model", "DTypePolicy"}) - _DENIED


def _strange(config: Any, known: frozenset[str]) -> Iterator[str]:  # noqa: ANN401 (JSON is anything)
    """What a config names that is none of Keras' own, or not one to be made here."""
    waiting = [(config, "")]
    while waiting:
        one, key = waiting.pop()
        if isinstance(one, list):
            waiting += [(part, key) for part in one]
        if not isinstance(one, dict):
            continue
        waiting += [(part, name) for name, part in one.items() if name != "compile_config"]
        kind = one.get("class_name")
        if not isinstance(kind, str) or "config" not in one or kind in _PLAIN:
            if kind is not None and kind not in _PLAIN:
                yield str(kind)[:100]
            continue
        if kind == "function":
            kind = one["config"]
        module = one.get("module")
        is_operation = isinstance(module, str) and _OPERATIONS.fullmatch(module) and one["class_name"] != "function"
        is_own = module is None or (isinstance(module, str) and _OWN_MODULE.fullmatch(module) and kind in known)
        registered = one.get("registered_name")
        if not (is_operation or (is_own and kind in known)) or registered not in (None, kind):
            yield str(registered or kind)[:100]


def _limit_memory(path: str) -> None:
    """A config of a few bytes may ask for more memory than there is."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        size = os.path.getsize(f"{path}/model.weights.h5" if os.path.isdir(path) else path)
        most = max(_LEAST_MEMORY, _MOST_MEMORY * size)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
