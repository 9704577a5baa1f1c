"""The last part of a pass: the levels of runs' paths are named, as the settings say or as it is plain."""

from sqlalchemy import Engine

from core.base.layout import parse_layout
from core.catalog.levels import RootLayout, load_layouts, run_paths, store_levels, without_levels
from core.runs.layout_guess import guess_layout


def name_levels(engine: Engine, root: str, setting: str | None, *, has_changed: bool) -> bool:
    """Name the levels of a root's runs where runs are new or the layout is another; returns whether there were any."""
    with engine.connect() as connection:
        known = load_layouts(connection, [root]).get(root)
        is_same = known is not None and known.is_guess == (setting is None) and setting in (None, known.layout)
        is_missing = without_levels(connection, root)  # also where a pass ended before it came here
        if is_same and not has_changed and not is_missing:
            return False
        paths = run_paths(connection, root)
        layout = guess_layout(paths) if setting is None else parse_layout(setting)
        wanted = RootLayout(str(layout), setting is None)
        if known == wanted and not is_missing:
            return False
    with engine.begin() as connection:
        store_levels(connection, root, wanted, {path: layout.levels(path) for path in paths})
    return True
