"""What Orbax and Flax write."""

import re

from core.base.facts import Format
from core.formats import (
    flax_msgpack,
    orbax,
    orbax_folder,
    orbax_reader,
    restore_calls,
)
from core.formats.spec import ALL_ROLES, FormatSpec, RestoreApi, Restoring, Trial

ORBAX = FormatSpec(
    format=Format.ORBAX,
    label="Orbax",
    files_told="a step's folder with its items, or a tree saved by itself",
    roles=ALL_ROLES,
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
    unread=orbax.unread,
    limits_memory=False,  # its library reserves more than it uses, for its threads
    restoring=Restoring(
        # Keras' load_model takes the folder above and always loads its newest step.
        call=restore_calls.always(RestoreApi.ORBAX_RESTORE),
        framework=restore_calls.framework_of_orbax,
        refused=restore_calls.orbax_by_client,
        inner=orbax.tree_to_restore,
        items=orbax.items_to_restore,
    ),
)
FLAX_MSGPACK = FormatSpec(
    format=Format.FLAX_MSGPACK,
    label="Flax msgpack",
    files_told="one file `NAME.msgpack` or `checkpoint_N` that holds a tree of arrays",
    roles=ALL_ROLES,
    group=flax_msgpack.group,
    read=flax_msgpack.read,
    is_foreign=flax_msgpack.is_foreign,
    lookalike_files=1,
    verifier=None,
    trial=None,
    restoring=None,
)
