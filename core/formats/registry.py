"""The table of formats: a row each, asked by everything that has to know how a format differs from another.

In this order they take their files out of a folder: the first that knows a file has it.
"""

import re
from collections.abc import Callable, Sequence

from core.base.facts import Format, Role
from core.base.files import FileStat
from core.base.records import Checkpoint
from core.formats import (
    bundle_reader,
    file_groups,
    flax_msgpack,
    keras_folder,
    keras_reader,
    orbax,
    orbax_folder,
    orbax_reader,
    restore_calls,
    safetensors,
    saved_model,
    saved_model_reader,
    v1_reader,
)
from core.formats.spec import FormatSpec, Framework, RestoreApi, Restoring, Trial

_ALL = frozenset(Role)
_NEEDS_BUILD = "optimizer-needs-build"
_GRAPH_OF_TF1 = re.compile(r".+\.meta", re.DOTALL)
_H5PY = Trial("h5py", "h5py", "core.verify.trial_program:with_h5py")
_TENSORFLOW = Trial("TensorFlow", "tensorflow", "core.verify.trial_program:with_tensorflow")


def first_file(files: Sequence[FileStat]) -> int:
    """A bundle's index is written last and renamed into place."""
    return files[0].mtime_ns


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


SPECS: tuple[FormatSpec, ...] = (
    FormatSpec(
        format=Format.ORBAX,
        label="Orbax",
        files_told="a step's folder with its items, or a tree saved by itself",
        roles=_ALL,
        group=orbax_folder.group,
        as_folder=orbax_folder.SHAPE,
        first_to_go=orbax_folder.is_mark,
        architecture=re.compile(r"model_config/.+", re.DOTALL),
        read=orbax_reader.read,
        has_metrics=True,
        in_parts=True,
        is_foreign=orbax_reader.is_foreign,
        verifier="core.verify.orbax:verify_orbax",
        trial=Trial("Orbax", "orbax-checkpoint", "core.verify.trial_program:with_orbax"),
        limits_memory=False,  # its library reserves more than it uses, for its threads
        restoring=Restoring(
            # Keras' load_model takes the folder above and always loads its newest step.
            call=restore_calls.always(RestoreApi.ORBAX_RESTORE),
            framework=restore_calls.framework_of_orbax,
            refused=restore_calls.orbax_by_client,
            inner=orbax.tree_to_restore,
            items=orbax.items_to_restore,
        ),
    ),
    FormatSpec(
        format=Format.SAVED_MODEL,
        label="SavedModel",
        files_told="a folder with `saved_model.pb` or `.pbtxt`, `variables/`, `assets/`",
        roles=_ALL,
        group=file_groups.saved_model,
        as_folder=file_groups.SAVED_MODEL_SHAPE,
        first_to_go=lambda name: name in saved_model.MARKS,
        architecture=re.compile(r"saved_model\.pb(?:txt)?|keras_metadata\.pb"),
        read=saved_model_reader.read,
        in_parts=True,
        has_shards=True,
        found_by_pattern=True,
        names_version=True,
        verifier=None,
        trial=Trial("TensorFlow", "tensorflow", "core.verify.trial_program:with_saved_model"),
        bundle=lambda _name: saved_model_reader.PREFIX,
        unread=saved_model.unread,
        restoring=Restoring(
            # load_model drops the optimizer (Keras 2) or refuses (Keras 3); reading its variables does neither.
            call=restore_calls.always(RestoreApi.TF_CHECKPOINT_READ),
            framework=restore_calls.framework_of_saved_model,
            refused=restore_calls.saved_model_by_client,
            caution=_NEEDS_BUILD,
            inner=lambda _files: saved_model_reader.PREFIX,
        ),
    ),
    FormatSpec(
        format=Format.KERAS_FOLDER,
        label="Keras folder",
        files_told="a folder with `config.json`, Keras' `metadata.json`, `model.weights.h5`, `assets/`",
        roles=_ALL,
        group=keras_folder.group,
        as_folder=keras_folder.SHAPE,
        first_to_go=keras_folder.is_first,
        architecture=re.compile(r"[^/]+\.json"),
        read=keras_folder.read,
        in_parts=True,
        one_file_tells=False,
        names_epochs=True,
        verifier="core.verify.keras_folder:verify_folder",
        trial=_H5PY,
        restoring=_of_keras(restore_calls.of_model, exact=RestoreApi.KERAS_LOAD_MODEL),
    ),
    FormatSpec(
        format=Format.TF_BUNDLE,
        label="TensorFlow",
        files_told="`PREFIX.index`, its shards `PREFIX.data-SSSSS-of-NNNNN`, TF1's `PREFIX.meta`",
        roles=_ALL,
        group=file_groups.bundles,
        as_folder=file_groups.NAMELESS_SHAPE,
        first_to_go=file_groups.is_index,
        may_link=file_groups.is_shard,
        architecture=_GRAPH_OF_TF1,
        read=bundle_reader.read,
        is_foreign=bundle_reader.is_foreign,
        lookalike_files=1,
        one_file_tells=False,
        shown_file=lambda name: f"{name}.index",
        has_shards=True,
        unreadable_rule="unreadable-index",
        in_state_files=True,
        found_by_pattern=True,
        dated_by=first_file,
        verifier=None,
        trial=_TENSORFLOW,
        bundle=str,
        restoring=Restoring(
            call=restore_calls.of_bundle,
            framework=restore_calls.framework_of_bundle,
            by_variables=True,
            refused=restore_calls.by_client,
            exact=RestoreApi.TF_CHECKPOINT_RESTORE,
        ),
    ),
    FormatSpec(
        format=Format.WEIGHTS_H5_SHARDED,
        label=".weights.h5 in shards",
        files_told="`NAME.weights.json` and the files that it names",
        roles=_ALL,
        group=file_groups.sharded_weights,
        first_to_go=lambda name: name.endswith(file_groups.WEIGHT_MAP),
        read=keras_reader.read_sharded,
        in_parts=True,
        has_shards=True,
        names_epochs=True,
        verifier="core.verify.hdf5:verify_sharded_job",
        trial=_H5PY,
        restoring=_of_keras(restore_calls.of_weights, refused=restore_calls.sharded_by_client, caution=_NEEDS_BUILD),
    ),
    FormatSpec(
        format=Format.KERAS,
        label=".keras",
        files_told="one file `NAME.keras`, a zip",
        roles=_ALL,
        group=file_groups.by_ending(Format.KERAS, ".keras"),
        read=keras_reader.read_keras,
        in_workers=True,
        names_epochs=True,
        verifier="core.verify.keras_zip:verify_keras",
        trial=_H5PY,
        restoring=_of_keras(restore_calls.of_model, exact=RestoreApi.KERAS_LOAD_MODEL),
    ),
    FormatSpec(
        format=Format.WEIGHTS_H5,
        label=".weights.h5",
        files_told="one file `NAME.weights.h5`, or BackupAndRestore's `.weights.h5.bkp`",
        roles=_ALL,
        group=file_groups.by_ending(Format.WEIGHTS_H5, ".weights.h5", ".weights.h5.bkp"),
        read=keras_reader.read_hdf5,
        in_workers=True,
        names_epochs=True,
        verifier="core.verify.hdf5:verify_job",
        trial=_H5PY,
        restoring=_of_keras(restore_calls.of_weights, caution=_NEEDS_BUILD),
    ),
    FormatSpec(
        format=Format.HDF5,
        label=".h5",
        files_told="one file `NAME.h5` or `NAME.hdf5` that Keras wrote",
        roles=_ALL,
        group=file_groups.by_ending(Format.HDF5, ".h5", ".hdf5"),
        read=keras_reader.read_hdf5,
        is_foreign=keras_reader.is_other_hdf5,
        lookalike_files=1,
        in_workers=True,
        names_epochs=True,
        verifier="core.verify.hdf5:verify_job",
        trial=_H5PY,
        restoring=_of_keras(restore_calls.of_hdf5, caution="legacy-hdf5"),
    ),
    FormatSpec(
        format=Format.SAFETENSORS,
        label="safetensors",
        files_told="one file `NAME.safetensors`, or `NAME.safetensors.index.json` and the files that it names",
        roles=frozenset({Role.OTHER}),
        group=safetensors.group,
        first_to_go=safetensors.is_index,
        read=safetensors.read,
        in_parts=True,
        has_shards=True,
        verifier=None,
        trial=None,
        restoring=None,
    ),
    FormatSpec(
        format=Format.TF_V1,
        label="TF1 Saver",
        files_told="a file without an ending and its `.meta`",
        roles=_ALL,
        group=file_groups.beside_meta,
        architecture=_GRAPH_OF_TF1,
        read=v1_reader.read,
        is_foreign=v1_reader.is_foreign,
        lookalike_files=2,
        in_state_files=True,
        found_by_pattern=True,
        verifier="core.verify.table:verify_table",
        trial=_TENSORFLOW,
        restoring=Restoring(
            call=restore_calls.always(RestoreApi.TF_V1_SAVER),
            framework=restore_calls.framework_of_v1,
            refused=restore_calls.by_client,
        ),
    ),
    FormatSpec(
        format=Format.FLAX_MSGPACK,
        label="Flax msgpack",
        files_told="one file `NAME.msgpack` or `checkpoint_N` that holds a tree of arrays",
        roles=_ALL,
        group=flax_msgpack.group,
        read=flax_msgpack.read,
        is_foreign=flax_msgpack.is_foreign,
        lookalike_files=1,
        verifier=None,
        trial=None,
        restoring=None,
    ),
)
_BY_FORMAT = {spec.format: spec for spec in SPECS}


def spec_of(form: Format) -> FormatSpec:
    """A format's row."""
    return _BY_FORMAT[form]


def formats_where(holds: Callable[[FormatSpec], bool]) -> frozenset[Format]:
    """The formats for whose rows something holds."""
    return frozenset(spec.format for spec in SPECS if holds(spec))
