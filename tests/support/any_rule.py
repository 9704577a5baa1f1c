"""Any retention rule, drawn from the table of rules; those about whole trials of sweeps have tests of their own."""

from typing import Any

from hypothesis import strategies as st

from core.base.direction import Direction
from core.retention.keys import Kind
from core.retention.policies import Rule
from core.retention.rules import RULES

_VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.WHOLE: st.integers(1, 4) | st.integers(1, 1000),
    Kind.HOURS: st.floats(0.1, 100),
    Kind.DAYS: st.floats(0.01, 7),
    Kind.TEXT: st.sampled_from(["val_loss", "metric"]),
    Kind.MODE: st.sampled_from(Direction),
    Kind.FLAG: st.just(True),
}
_ONE: dict[Kind, Any] = {Kind.TEXT: "val_loss", Kind.MODE: Direction.MIN}

rules: st.SearchStrategy[Rule] = st.one_of(
    [
        st.builds(row.make, *(_VALUES[key.kind] for key in row.keys))
        for row in RULES
        if not row.make(*(_ONE.get(key.kind, 1) for key in row.keys)).judges_trials
    ]
)
