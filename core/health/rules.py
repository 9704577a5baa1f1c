"""All rules: what each means, why it happens, what to do. Pages, the shell and the docs are made from this table.

A module has its `RULES` beside their conditions. One that judges whole runs has them in `findings`; where time alone
brings some, `due` gives the moments of those that are still ahead.
"""

from core.health import aging, files, left, listing, runs, state, verified
from core.health.rule import Rule

OF_RUNS = (left, listing, state, runs, aging)
WITH_TIME = (listing, aging)
RULES: dict[str, Rule] = {rule.id: rule for module in (files, *OF_RUNS, verified) for rule in module.RULES}
