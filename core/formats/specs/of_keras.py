"""What Keras writes into files of its own, or into a folder."""

import re
from collections.abc import Callable

from core.base.facts import Format
from core.base.records import Checkpoint
from core.formats import file_groups, keras_folder, keras_reader, restore_calls
from core.formats.spec import ALL_ROLES, OPTIMIZER_NEEDS_BUILD, FormatSpec, Framework, RestoreApi, Restoring, Trial
from core.formats.told import Told

_H5PY = Trial("h5py", "h5py", "core.verify.trial_program:with_h5py")
_MODEL = _H5PY._replace(loads_model=True)


def _of_keras(
    call: Callable[[Checkpoint], RestoreApi],
    *,
    refused: Callable[[RestoreApi, Framework], str | None] = restore_calls.by_client,
    exact: RestoreApi | None = None,
    caution: str = "optimizer-not-tried",
) -> Restoring:
    """How training goes on from what Keras wrote into files."""
    framework = restore_calls.framework_of_keras
    return Restoring(call=call, framework=framework, refused=refused, exact=exact, caution=caution)


KERAS_FOLDER = FormatSpec(
    format=Format.KERAS_FOLDER,
    label="Keras folder",
    told=Told(
        "a folder with `config.json` beside a `metadata.json` that names Keras' version; where that is lost or "
        "damaged, with one that describes a model, beside `model.weights.h5`; that, and `assets/`",
        "as in a `.keras` file",
        "offset in `model.weights.h5`",
        by="Keras 3, `zipped=False`; presets of KerasHub",
    ),
    roles=ALL_ROLES,
    group=keras_folder.group,
    as_folder=keras_folder.SHAPE,
    first_to_go=keras_folder.is_first,
    architecture=re.compile(r"[^/]+\.json"),
    read=keras_folder.read,
    in_parts=True,
    one_file_tells=False,
    names_epochs=True,
    verifier="core.verify.keras_folder:verify_folder",
    values="core.distance.of_hdf5:in_folder",
    trial=_MODEL,
    restoring=_of_keras(restore_calls.of_model, exact=RestoreApi.KERAS_LOAD_MODEL),
)
WEIGHTS_H5_SHARDED = FormatSpec(
    format=Format.WEIGHTS_H5_SHARDED,
    label=".weights.h5 in shards",
    told=Told(
        "`NAME.weights.json` and the files that it names, `NAME_00000.weights.h5` and on",
        "the map, then each file",
        "shard, offset",
    ),
    roles=ALL_ROLES,
    group=file_groups.sharded_weights,
    first_to_go=lambda name: name.endswith(file_groups.WEIGHT_MAP),
    read=keras_reader.read_sharded,
    in_parts=True,
    has_shards=True,
    names_epochs=True,
    verifier="core.verify.hdf5:verify_sharded_job",
    values="core.distance.of_hdf5:in_shards",
    trial=_H5PY,
    restoring=_of_keras(
        restore_calls.of_weights, refused=restore_calls.sharded_by_client, caution=OPTIMIZER_NEEDS_BUILD
    ),
)
KERAS = FormatSpec(
    format=Format.KERAS,
    label=".keras",
    told=Told(
        "one file `NAME.keras`, a zip",
        "the zip's directory, `metadata.json`, whether `config.json` describes a model and its optimizer's name, the "
        "weights as HDF5 where they lie",
        "offset in the zip",
        by="Keras 3",
    ),
    roles=ALL_ROLES,
    group=file_groups.by_ending(Format.KERAS, ".keras"),
    read=keras_reader.read_keras,
    in_workers=True,
    names_epochs=True,
    verifier="core.verify.keras_zip:verify_keras",
    values="core.distance.of_hdf5:in_zip",
    trial=_MODEL,
    restoring=_of_keras(restore_calls.of_model, exact=RestoreApi.KERAS_LOAD_MODEL),
)
WEIGHTS_H5 = FormatSpec(
    format=Format.WEIGHTS_H5,
    label=".weights.h5",
    told=Told(
        "one file `NAME.weights.h5`, or BackupAndRestore's `.weights.h5.bkp`: HDF5 with `vars` groups",
        "the tree of groups and datasets, counters",
        "offset",
        by="Keras 3, tf-keras",
    ),
    roles=ALL_ROLES,
    group=file_groups.by_ending(Format.WEIGHTS_H5, ".weights.h5", ".weights.h5.bkp"),
    read=keras_reader.read_hdf5,
    in_workers=True,
    names_epochs=True,
    verifier="core.verify.hdf5:verify_job",
    values="core.distance.of_hdf5:one_file",
    trial=_H5PY,
    restoring=_of_keras(restore_calls.of_weights, caution=OPTIMIZER_NEEDS_BUILD),
)
HDF5 = FormatSpec(
    format=Format.HDF5,
    label=".h5",
    told=Told(
        "one file `NAME.h5` or `NAME.hdf5` that Keras wrote: HDF5 with `model_weights` or `layer_names`",
        "as of `weights-h5`, and the optimizer's name in `training_config`",
        "offset",
        by="legacy",
    ),
    roles=ALL_ROLES,
    group=file_groups.by_ending(Format.HDF5, ".h5", ".hdf5"),
    read=keras_reader.read_hdf5,
    is_foreign=keras_reader.is_other_hdf5,
    lookalike_files=1,
    in_workers=True,
    names_epochs=True,
    verifier="core.verify.hdf5:verify_job",
    values="core.distance.of_hdf5:one_file",
    trial=_MODEL,
    restoring=_of_keras(restore_calls.of_hdf5, caution="legacy-hdf5"),
)
ROWS = (KERAS_FOLDER, WEIGHTS_H5_SHARDED, KERAS, WEIGHTS_H5, HDF5)
