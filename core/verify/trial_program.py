"""The program of a trial restore: TensorFlow, h5py or Orbax reads every value of a checkpoint and keeps none.

Values first: no graph is loaded, and nothing of the file runs. Where a Keras model's config lies beside them, Keras
then loads the model, if its config names nothing but Keras' own (`core.verify.model_trial`). Started by
`core.verify.trial` with one request on stdin: {"folder", "name", "format", "files"}; the answer is
`{"result": [ok, library, values read, sentence]}`, before it `{"done": n}` now and then. TensorFlow is imported by
name: nothing else in the core may know it.
"""

import importlib
import importlib.metadata
import json
import os
import sys
import time
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from core.base.facts import Facts, Format
from core.formats.bundle import BundleCache
from core.formats.keras_zip import needed_members
from core.formats.orbax import tree_items
from core.formats.reading import DAMAGE, read_unit
from core.formats.registry import spec_of
from core.formats.saved_model_reader import PREFIX as SAVED_MODEL_PREFIX
from core.formats.spec import Unit
from core.formats.vocabularies import ASSETS
from core.stores.local import LocalStore
from core.verify.keras_zip import opened_weights
from core.verify.model_trial import fit_of
from core.verify.tally import WINDOW

_INTERVAL = 0.5  # seconds between two messages
_UNREADABLE = ("variant", "resource")  # get_tensor has no value for these
Answer = list[Any]
Count = Callable[[], None]


class _Counter:
    """Values that were read, told from time to time."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send, self._told = send, 0.0
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        if time.monotonic() - self._told > _INTERVAL:
            self._told = time.monotonic()
            self._send({"done": self.count})


def main() -> None:
    """Answer one request."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not stand among the answers

    def send(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message).encode() + b"\n")

    request = json.loads(sys.stdin.buffer.readline())
    send({"result": answer_to(request, send)})


def answer_to(request: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> Answer:
    """[ok, library, values read, sentence]; progress goes to `send`."""
    trial = spec_of(Format(request["format"])).trial
    if trial is None:
        return [False, "", 0, "There is no library here that restores it."]
    try:
        shown = f"{trial.library} {importlib.metadata.version(trial.package)}"
    except importlib.metadata.PackageNotFoundError:
        return [False, trial.library, 0, f"{trial.library} is not installed here: pip install {trial.package}."]
    counter = _Counter(send)
    try:
        read: Callable[[dict[str, Any], _Counter], list[str]] = globals()[trial.function.rpartition(":")[2]]
        skipped = read(request, counter)
    except Exception as error:  # noqa: BLE001 (the library's own words are the answer)
        words = str(error).strip().partition("\n")[0][:500] or type(error).__name__
        return [False, shown, counter.count, f"{shown} read {_tensors(counter.count)}, then: {words}"]
    if not counter.count:
        return [False, shown, 0, f"{shown} found no value to read."]
    is_whole, end = _beside_values(request, loads_model=trial.loads_model)
    return [is_whole, shown, counter.count, f"{shown} read {_which(counter.count, skipped)}{end}"]


def _which(count: int, skipped: list[str]) -> str:
    """Of how many values a library read how many."""
    if not skipped:
        return _tensors(count) if count == 1 else f"all {_tensors(count)}"
    names = f"{', '.join(sorted(skipped)[:3])}{' and others' if skipped[3:] else ''}"
    return f"{count:,} of {_tensors(count + len(skipped))}; it has no way to read {names}"


def _beside_values(request: dict[str, Any], *, loads_model: bool) -> tuple[bool, str]:
    """Whether what lies beside the values fits them, and a sentence's end: a config that makes no model, or another."""
    facts = _facts(request)
    problem = facts.problem
    if problem is not None and problem.kind in DAMAGE:
        return False, f", but {problem.detail.rstrip('.')}."
    if not loads_model or not facts.has_architecture:
        return True, "."
    fit = fit_of(f"{request['folder']}/{request['name']}".rstrip("/"), facts)
    if fit.fits is None:
        return True, f". Not told: whether they fit the model in the file ({fit.why})."
    return fit.fits, f", and {fit.library} loads the model." if fit.fits else f", but {fit.library} does not: {fit.why}"


def _facts(request: dict[str, Any]) -> Facts:
    """What a scan says of the checkpoint, also what is wrong beside the values."""
    store = LocalStore(request["folder"])
    files = {name: store.stat(name) for name in request["files"]}
    unit = Unit("", request["name"], request["name"], Format(request["format"]), files)
    reading = read_unit(store, unit, BundleCache(), is_named=True)
    return Facts() if reading is None else reading.facts


def _tensors(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count:,} tensors"


def with_tensorflow(request: dict[str, Any], counter: Count) -> list[str]:
    """The bundle or the V1 file; returns what TensorFlow has no value for."""
    return _bundle(f"{request['folder']}/{request['name']}", counter)


def with_saved_model(request: dict[str, Any], counter: Count) -> list[str]:
    """A SavedModel's variables, where it has any."""
    loader = importlib.import_module("tensorflow.python.saved_model.loader_impl")
    loader.parse_saved_model(request["folder"])  # its graph is not built, and nothing of it runs
    if f"{SAVED_MODEL_PREFIX}.index" not in request["files"]:
        return []
    return _bundle(f"{request['folder']}/{SAVED_MODEL_PREFIX}", counter)


def _bundle(prefix: str, counter: Count) -> list[str]:
    tf = importlib.import_module("tensorflow")
    # Not load_checkpoint, which takes a prefix that ends in a slash for the folder of a state file.
    reader = tf.compat.v1.train.NewCheckpointReader(prefix)
    kinds = reader.get_variable_to_dtype_map()
    skipped = sorted(name for name, kind in kinds.items() if kind.name in _UNREADABLE)
    for name in sorted(kinds.keys() - set(skipped)):
        try:
            reader.get_tensor(name)
        except tf.errors.UnimplementedError:  # halves and slices of V1 files
            skipped.append(name)
        else:
            counter()
    return skipped


def with_h5py(request: dict[str, Any], counter: Count) -> list[str]:
    """One file, the weights inside a zip, or every shard."""
    for name in request["files"]:
        path = f"{request['folder']}/{name}"
        if name.endswith(".json") or name.startswith(ASSETS):
            continue
        if zipfile.is_zipfile(path):
            _check_members(path)
            with opened_weights(path) as weights:
                _datasets(weights, counter)
        else:
            _datasets(path, counter)
    return []


def _check_members(path: str) -> None:
    """Unpack what a restore needs, as Keras does: a checksum that does not hold raises BadZipFile."""
    with zipfile.ZipFile(path) as archive:
        for name in sorted(needed_members(archive.namelist())):
            with archive.open(name) as member:
                while member.read(WINDOW):
                    pass


def _datasets(place: Any, counter: Count) -> None:  # noqa: ANN401 (a path or a file object)
    """Read every dataset of an HDF5 file, unless another file holds its values."""
    with h5py.File(place, "r") as file:
        names: list[str] = []
        file.visit(names.append)  # links are not followed
        for name in names:
            item = file[name]
            if not isinstance(item, h5py.Dataset):
                continue
            if item.is_virtual or item.external:
                raise OSError(f"{name}: its values lie in another file, which is not followed")
            item[()]
            counter()


def with_orbax(request: dict[str, Any], counter: Count) -> list[str]:
    """Every tree, through the checkpointer that Orbax has for them; its arrays as NumPy's, on no device."""
    ocp = importlib.import_module("orbax.checkpoint")
    tree = importlib.import_module("jax.tree")

    def how(leaf: Any) -> Any:  # noqa: ANN401 (Orbax may be absent)
        return ocp.RestoreArgs(restore_type=np.ndarray) if hasattr(leaf, "shape") else ocp.RestoreArgs()

    for item in tree_items(request["files"]):
        place = f"{request['folder']}/{item}".rstrip("/")
        checkpointer = ocp.PyTreeCheckpointer()
        found = checkpointer.metadata(place).item_metadata
        wanted = None if found is None else tree.map(how, found.tree)  # early Orbax tells nothing before it reads
        for _ in tree.leaves(checkpointer.restore(place, restore_args=wanted)):
            counter()
    return []


if __name__ == "__main__":
    main()
