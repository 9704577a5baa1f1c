"""A retention policy given on a command line, in place of those of the settings."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from core.services.retention import POLICY_KEYS, Key, Kind, Policy, parse_policy

_TYPES: dict[Kind, Any] = {Kind.WHOLE: int | None, Kind.HOURS: float | None, Kind.DAYS: float | None}
AskedPolicy = Callable[[], Policy | None]


def asked_policy(**keys: object) -> Policy | None:
    """The policy of some options, named as the keys of `[[retention]]`; None where none was given.

    SettingsError with every problem.
    """
    given = {key: value for key, value in keys.items() if value is not None}
    return parse_policy(given) if given else None


def _annotation(key: Key) -> Any:  # noqa: ANN401 - a type that Typer takes
    if key.kind is Kind.FLAG:
        return Annotated[bool | None, typer.Option(key.flag, help=key.option)]
    return Annotated[_TYPES.get(key.kind, str | None), typer.Option(metavar=key.kind.value, help=key.option)]


_OPTIONS = {key.name: _annotation(key) for key in POLICY_KEYS if key.option}


def takes_policy(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a policy in the place of its parameter `asked`, which makes the policy of them."""
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in _OPTIONS.items()
    ]
    own = inspect.signature(command).parameters.values()
    shown = [
        option
        for one in own
        for option in (options if one.name == "asked" else [one.replace(kind=inspect.Parameter.KEYWORD_ONLY)])
    ]

    def run(**given: object) -> None:
        keys = {name: given.pop(name) for name in _OPTIONS}
        command(**given, asked=lambda: asked_policy(**keys))

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {one.name: one.annotation for one in shown}
    run.__dict__["__signature__"] = inspect.Signature(shown)
    return run
