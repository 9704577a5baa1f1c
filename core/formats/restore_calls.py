"""Which call restores a checkpoint of each format exactly, as far as one does, and who goes on from it; docs/resume.md
holds what was tried.
"""

import re
from collections.abc import Callable, Collection

from core.base.facts import Contents, Facts
from core.base.records import Checkpoint
from core.formats import saved_model
from core.formats.orbax import TREE_OF_KERAS
from core.formats.orbax_tree import TREE
from core.formats.spec import Framework, RestoreApi

SAVED_ITSELF = "layer_with_weights-"  # how Keras 2 names the layers of a model that is the root of a bundle
# Readers write "Keras 3.15.1, optimizer Adam" or "TensorFlow 2.15.0, Keras 2".
_KERAS_VERSION = re.compile(r"\bkeras (\d+)\b", re.IGNORECASE)
_KERAS_2 = {
    RestoreApi.KERAS_LOAD_MODEL: RestoreApi.TF_KERAS_LOAD_MODEL,
    RestoreApi.KERAS_LOAD_WEIGHTS: RestoreApi.TF_KERAS_LOAD_WEIGHTS,
}


def by_keras_2(facts: Facts) -> bool:
    """Whether the file says that Keras 2 wrote it."""
    found = _KERAS_VERSION.search(facts.writer or "")
    return found is not None and int(found[1]) < 3


def is_keras_told(facts: Facts) -> bool:
    """Whether the file says which Keras wrote it."""
    return _KERAS_VERSION.search(facts.writer or "") is not None


def always(call: RestoreApi) -> Callable[[Checkpoint], RestoreApi]:
    """The same call for every checkpoint."""
    return lambda _checkpoint: call


def of_bundle(checkpoint: Checkpoint) -> RestoreApi:
    """TF1's Saver writes its graph beside the bundle; nothing that writes object graphs does."""
    is_name_based = any(file.name.endswith(".meta") for file in checkpoint.files)
    return RestoreApi.TF_V1_SAVER if is_name_based else RestoreApi.TF_CHECKPOINT_RESTORE


def of_model(checkpoint: Checkpoint) -> RestoreApi:
    """A whole model, by the Keras that wrote it."""
    return _by_keras(RestoreApi.KERAS_LOAD_MODEL, checkpoint)


def of_weights(checkpoint: Checkpoint) -> RestoreApi:
    """Weights alone, by the Keras that wrote them."""
    return _by_keras(RestoreApi.KERAS_LOAD_WEIGHTS, checkpoint)


def of_hdf5(checkpoint: Checkpoint) -> RestoreApi:
    """A model or weights, as the file holds them."""
    return of_model(checkpoint) if checkpoint.facts.contents is Contents.FULL_MODEL else of_weights(checkpoint)


def _by_keras(call: RestoreApi, checkpoint: Checkpoint) -> RestoreApi:
    return _KERAS_2[call] if by_keras_2(checkpoint.facts) else call


def framework_of_keras(_files: Collection[str], _variables: Collection[str], api: RestoreApi) -> Framework:
    """A `.weights.h5` does not tell which Keras wrote it, and needs no other code for either."""
    of_keras_2 = api in (RestoreApi.TF_KERAS_LOAD_MODEL, RestoreApi.TF_KERAS_LOAD_WEIGHTS)
    return Framework.TF_KERAS if of_keras_2 else Framework.KERAS


def framework_of_bundle(_files: Collection[str], variables: Collection[str], _api: RestoreApi) -> Framework:
    """By the names of its variables."""
    of_model = any(name.startswith(SAVED_ITSELF) for name in variables)
    return Framework.TF_KERAS if of_model else Framework.TENSORFLOW


def framework_of_saved_model(files: Collection[str], _variables: Collection[str], _api: RestoreApi) -> Framework:
    """By the file that only Keras 2 writes."""
    return Framework.TF_KERAS if _has(files, saved_model.KERAS) else Framework.TENSORFLOW


def framework_of_orbax(files: Collection[str], _variables: Collection[str], _api: RestoreApi) -> Framework:
    """By the tree that Keras' callback writes."""
    return Framework.KERAS if _has(files, f"{TREE_OF_KERAS}/{TREE}") else Framework.TENSORFLOW


def framework_of_v1(_files: Collection[str], _variables: Collection[str], _api: RestoreApi) -> Framework:
    """TF1's Saver is TensorFlow's own."""
    return Framework.TENSORFLOW


def by_client(api: RestoreApi, _framework: Framework) -> str | None:
    """The client restores it, unless TF1's Saver wrote it."""
    return "waypoint_resume does not restore what TF1's Saver wrote" if api is RestoreApi.TF_V1_SAVER else None


def sharded_by_client(_api: RestoreApi, _framework: Framework) -> str | None:
    """It does not restore weights in shards."""
    return "waypoint_resume does not restore sharded .weights.h5 files"


def saved_model_by_client(_api: RestoreApi, framework: Framework) -> str | None:
    """It restores a SavedModel where load_model takes one for training."""
    return None if framework is Framework.TF_KERAS else "waypoint_resume restores a SavedModel only in tf-keras"


def orbax_by_client(_api: RestoreApi, framework: Framework) -> str | None:
    """It restores steps of Keras' callback."""
    return None if framework is Framework.KERAS else "waypoint_resume restores of Orbax only what Keras 3 wrote"


def _has(files: Collection[str], name: str) -> bool:
    """Whether a checkpoint that is a folder holds a file."""
    return any(file == name or file.endswith(f"/{name}") for file in files)
