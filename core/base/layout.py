"""How the parts of runs' paths are called: `{project}/{user}/{date}/{run}`. `*` is a part without a name; the last
part is `{run}`, and holds the rest of the path.
"""

import re
from dataclasses import dataclass

RUN = "run"
# What a search finds by these names is something else.
RESERVED = frozenset(
    """path tag owner note favourite status health saved changed size checkpoints restorable series step errors warnings
    deleted""".split()  # noqa: SIM905 - names as one reads them
)
_PART = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The names of the parts above a run, from the root down; None for one without a name."""

    above: tuple[str | None, ...] = ()

    def __str__(self) -> str:
        return "/".join([*("*" if name is None else f"{{{name}}}" for name in self.above), f"{{{RUN}}}"])

    def levels(self, path: str) -> dict[str, str]:
        """The values of a run's path by their names; of a path with fewer parts the run alone."""
        parts = path.split("/")
        count = len(self.above) if len(parts) > len(self.above) else 0
        named = {name: part for name, part in zip(self.above[:count], parts, strict=False) if name is not None}
        return {**named, RUN: "/".join(parts[count:])}


def parse_layout(text: str) -> Layout:
    """A layout from its text. ValueError, naming the part, for one that is none."""
    names: list[str | None] = []
    parts = text.split("/")
    for number, part in enumerate(parts, 1):
        place = f"part {number} is {part!r}"
        found = _PART.fullmatch(part)
        name = None if found is None else found[1]
        if found is None and part != "*":
            raise ValueError(
                f"{place}; allowed: {{name}} in small letters, digits and _, or * for a part without a name, such as "
                "{project}/{user}/{date}/{run}"
            )
        if name is not None and name in names:
            raise ValueError(f"{place}, which is there before; each name stands once")
        if name in RESERVED:
            others = ", ".join(sorted(RESERVED))
            raise ValueError(f"{place}, which a search takes for something else; so are {others}")
        if (name == RUN) != (number == len(parts)):
            raise ValueError(f"{place}; the last part, and no other, is {{{RUN}}}")
        names.append(name)
    return Layout(above=tuple(names[:-1]))
