"""Which modules of the project a call enters, and how often it goes from one to another."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

_ROOT = Path(__file__).resolve().parents[2]
_NO_CALLS = ("<module>", "<genexpr>")
_LEVELS = {"core": str(_ROOT / "core"), "waypoint_resume": str(_ROOT / "client/waypoint_resume")}


@dataclass
class Way:
    """How often each module was entered, each way from one into another was taken ('' is outside of the project), and
    each function was called.
    """

    entered: Counter[str] = field(default_factory=Counter)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    functions: Counter[str] = field(default_factory=Counter)

    @property
    def changes(self) -> int:
        """How often the way went from one module into another."""
        return self.calls.total()


@contextmanager
def traced() -> Iterator[Way]:
    """Follow every call of this thread. A call counts for the module that its code lies in; one out of a library counts
    as one of whoever called that library. The steps of a generator expression are no calls, what it calls in them is.
    Code that runs while a module is imported does not count.
    """
    way, names = Way(), dict[str, str | None]()

    def name_of(frame: FrameType) -> str | None:
        place = frame.f_code.co_filename
        if place not in names:
            names[place] = _module(place)
        return names[place]

    def on_event(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or (name := name_of(frame)) is None or frame.f_code.co_name in _NO_CALLS:
            return
        way.functions[f"{name}.{frame.f_code.co_qualname}"] += 1
        caller, above = None, frame.f_back
        while above is not None and caller is None:
            caller, above = name_of(above), above.f_back
        if caller != name:
            way.entered[name] += 1
            way.calls[caller or "", name] += 1

    sys.setprofile(on_event)
    try:
        yield way
    finally:
        sys.setprofile(None)


def _module(place: str) -> str | None:
    for package, folder in _LEVELS.items():
        if place.startswith(f"{folder}/"):
            return f"{package}.{place.removeprefix(f'{folder}/').removesuffix('.py').replace('/', '.')}"
    return None
