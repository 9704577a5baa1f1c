"""What a person does about something with Waypoint's own command line, which a machine that trains seldom has."""

from __future__ import annotations


def on_the_dashboards_machine(command: str) -> str:
    """A command of Waypoint, as a part of a sentence that says where it runs."""
    return f"`python -m core {command}` on the dashboard's machine"
