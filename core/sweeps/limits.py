"""How much of what a tuner wrote is kept."""

import json

from core.formats.json_values import flat, shortened

MOST_BYTES = 8 << 20  # of one JSON file of a trial
MOST_STATE_BYTES = 64 << 20  # of the state of a whole experiment
MOST_PARAMS = 200
MOST_METRICS = 64


def params_of(values: object) -> tuple[tuple[str, str], ...]:
    """Hyperparameters as flat text, as many as are kept."""
    found: list[tuple[str, str]] = []
    for name, value in flat(values):
        if len(found) == MOST_PARAMS:
            break
        text = value if isinstance(value, str) else json.dumps(value)
        found.append((shortened(name), shortened(text)))
    return tuple(found)
