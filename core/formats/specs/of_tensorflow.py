"""What TensorFlow writes: bundles, SavedModels, and the tables of TF1's Saver."""

import re
from collections.abc import Sequence

from core.base.facts import Format
from core.base.files import FileStat
from core.formats import bundle_reader, file_groups, restore_calls, saved_model, saved_model_reader, v1_reader
from core.formats.spec import ALL_ROLES, OPTIMIZER_NEEDS_BUILD, FormatSpec, RestoreApi, Restoring, Trial
from core.formats.told import Told

_GRAPH_OF_TF1 = re.compile(r".+\.meta", re.DOTALL)
_TENSORFLOW = Trial("TensorFlow", "tensorflow", "core.verify.trial_program:with_tensorflow")


def first_file(files: Sequence[FileStat]) -> int:
    """A bundle's index is written last and renamed into place."""
    return files[0].mtime_ns


SAVED_MODEL = FormatSpec(
    format=Format.SAVED_MODEL,
    label="SavedModel",
    told=Told(
        "a folder with `saved_model.pb` or `.pbtxt`, `variables/`, `assets/`",
        "lengths, version and the assets' names in the `.pb` (of a `.pbtxt` also whether its braces close), never its "
        "graph; `variables/` as a bundle",
        "shard, offset",
    ),
    roles=ALL_ROLES,
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
        caution=OPTIMIZER_NEEDS_BUILD,
        inner=lambda _files: saved_model_reader.PREFIX,
    ),
)
TF_BUNDLE = FormatSpec(
    format=Format.TF_BUNDLE,
    label="TensorFlow",
    told=Told(
        "`PREFIX.index`, its shards `PREFIX.data-SSSSS-of-NNNNN`, TF1's `PREFIX.meta`",
        "the index, the object graph (one string tensor), counters",
        "shard, offset",
        by="TensorFlow 2 and 1",
    ),
    roles=ALL_ROLES,
    group=file_groups.bundles,
    as_folder=file_groups.NAMELESS_SHAPE,
    first_to_go=file_groups.is_index,
    may_link=file_groups.is_shard,
    architecture=_GRAPH_OF_TF1,
    read=bundle_reader.read,
    is_foreign=bundle_reader.is_foreign,
    lookalike_files=2,
    shows_itself=bundle_reader.shows_itself,
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
)
TF_V1 = FormatSpec(
    format=Format.TF_V1,
    label="TF1 Saver",
    told=Told(
        "a file without an ending and its `.meta`",
        "the block with the list of variables, the one with `global_step`",
        "not told",
        by="TensorFlow 1, one file",
    ),
    roles=ALL_ROLES,
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
)
ROWS = (SAVED_MODEL, TF_BUNDLE, TF_V1)
