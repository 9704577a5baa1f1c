"""All rules: what each means, why it happens, what to do. Pages, the shell and the docs are made from this table."""

from core.health import aging, files, left, listing, runs, state, verified
from core.health.rule import Rule

RULES: dict[str, Rule] = {
    rule.id: rule for module in (files, left, listing, state, runs, aging, verified) for rule in module.RULES
}
