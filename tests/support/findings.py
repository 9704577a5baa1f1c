"""Findings made by the id of their rule."""

from core.base.records import Finding
from core.health.rules import RULES


def finding(rule: str, path: str, reason: str) -> Finding:
    """What the rule of an id says of a place."""
    return RULES[rule].finding(path, reason)
