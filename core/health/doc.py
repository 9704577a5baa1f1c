"""docs/health.md, made from the table of rules: `python -m core.health.doc > docs/health.md`."""

import sys

from core.health.rule import Family, Rule
from core.health.rules import RULES

_HEAD = """\
# Health: what is found, why it happens, what to do

Waypoint looks at every checkpoint, leftover and state file with the rules below. `error` means that something cannot
be restored or that TensorFlow would go wrong, `warning` that something is left over or will go wrong later, `info` that
something is worth knowing. The Health page and `python -m core health` list what was found; `python -m core verify`
reads every byte for the last two rules; `python -m core mend` puts state files right ([mend.md](mend.md)).

Findings of one rule in one folder are one row, `13 × missing shard: ckpt-5 … ckpt-95`. Each one stands within, in
`python -m core health --each` and in the JSON.

A finding that is so on purpose can be accepted with a note, on the Health page. It counts no more until the files that
it is about change. Acceptances lie in the run's folder, in `.waypoint/accepted.json`.

An incomplete save that is younger than the grace (`WAYPOINT_WRITE_GRACE`, 60 seconds) is being written, and no finding.

This page is made from the rules in `core/health`, which `core/health/rules.py` has all.
"""


def document() -> str:
    """The page, as Markdown."""
    parts = [_HEAD]
    for family in Family:
        parts.append(f"## {family.value}\n")
        parts += [_section(rule) for rule in RULES.values() if rule.family is family]
    return "\n".join(parts)


def _section(rule: Rule) -> str:
    head = f"### {rule.id} ({rule.severity.value})\n\n{rule.meaning}\n"
    return f"{head}\n- **Why:** {rule.why}\n- **What to do:** {rule.action}\n"


if __name__ == "__main__":
    sys.stdout.write(document())
