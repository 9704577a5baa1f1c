"""What Orbax writes."""

import re

from core.base.facts import Format
from core.formats import orbax, orbax_folder, orbax_reader, restore_calls
from core.formats.spec import ALL_ROLES, FormatSpec, RestoreApi, Restoring, Trial
from core.formats.told import Told

ORBAX = FormatSpec(
    format=Format.ORBAX,
    label="Orbax",
    told=Told(
        "a step's folder with its items, or a tree saved by itself: `_CHECKPOINT_METADATA` or `_METADATA` in a folder, "
        "a folder's name with `.orbax-checkpoint-tmp`; a numbered folder that holds only items (early Orbax) or arrays "
        "beside a tree named `checkpoint` (T5X); a numbered folder beside such steps that holds nothing, or only "
        "metrics and items that are empty or unfinished",
        "the metadata, the tree in `ITEM/_METADATA`, keys and array descriptions in the item's database, the metrics "
        "in `metrics/metrics`",
        "not told",
    ),
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
    values="core.distance.of_orbax:OrbaxValues",
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
ROWS = (ORBAX,)
