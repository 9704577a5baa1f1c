"""What no framework of its own is behind."""

from core.base.facts import Format, Role
from core.formats import (
    safetensors,
)
from core.formats.spec import FormatSpec

SAFETENSORS = FormatSpec(
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
)
