"""The box of searches on the pages of runs and checkpoints: the shell's language, and what is said where it fails."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.pages import columns, plain, show, texts


@pytest.mark.parametrize("page", ["runs.py", "checkpoints.py"])
def test_a_search_without_a_meaning_is_pointed_at_and_keeps_the_other_filters(app: AppTest, page: str) -> None:
    show(app, page, q="churn saved<soon", health="error")
    assert app.code[0].value == "churn saved<soon\n            ^"
    assert "character 13" in plain(texts(app))
    assert app.query_params["health"] in ("error", ["error"])
    assert not app.dataframe


def test_runs_are_found_by_what_they_have(app: AppTest) -> None:
    show(app, "runs.py", q="val_loss<100 -deleted:yes churn")
    assert columns(app)["run"] == ["churn-mlp"]


def test_checkpoints_are_found_by_what_their_run_has(app: AppTest) -> None:
    show(app, "checkpoints.py", q="val_loss<100 churn latest:yes restorable:yes")
    assert set(columns(app)["run"]) == {"churn-mlp"}


def test_a_name_that_nothing_has_is_told_with_the_nearest(app: AppTest) -> None:
    show(app, "runs.py", q="val_los<1")
    assert "did you mean val" in app.info[0].value.replace("&#95;", "_")
