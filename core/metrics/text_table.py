"""Parameters in a text of TensorBoard's that is a table in Markdown, as CleanRL and many a script log them:
`|param|value|`, `|-|-|`, then a row each.
"""

from __future__ import annotations

import re

from core.metrics.limits import MOST_NAME, MOST_PARAMETERS
from core.metrics.parameters import bounded, parsed
from core.metrics.records import ParamValue

_WORDS = r"hyper_?param(?:eter)?s|hparams|params|parameters|config|args"
_TAGS = re.compile(rf"(?:.*/)?(?:{_WORDS})(?:/text_summary)?", re.IGNORECASE)
_RULE = re.compile(r"\|[\s:|-]+\|?")
_LONGEST = 1 << 18  # bytes


def table_parameters(tag: str, text: bytes) -> dict[str, ParamValue]:
    """The rows of a table of two columns under a tag that names parameters; none of any other text."""
    if len(text) > _LONGEST or _TAGS.fullmatch(tag) is None:
        return {}
    lines = [line.strip() for line in text.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    if len(lines) < 3 or _RULE.fullmatch(lines[1]) is None:
        return {}
    found: dict[str, ParamValue] = {}
    for line in lines[2:]:
        name, mark, value = line.strip("|").partition("|")
        if mark and "|" not in value and name.strip() and len(name) <= MOST_NAME and len(found) < MOST_PARAMETERS:
            found[bounded(name.strip().strip("*`"))] = parsed(value.strip().strip("`"))
    return found
