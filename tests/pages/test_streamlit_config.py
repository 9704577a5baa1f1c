"""The Streamlit configuration: every option still exists, is really taken over, and its colours can be read."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from streamlit import config

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
HUES = ("red", "orange", "yellow", "green", "blue", "violet", "gray")
NOT_COLOURS = {
    *("font", "codeFont", "headingFont", "headingFontSizes", "headingFontWeights", "codeFontSize", "codeFontWeight"),
    *("baseRadius", "buttonRadius", "paddingTop", "paddingBottom", "linkUnderline", "showWidgetBorder"),
}


def flatten(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} as {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, as WCAG 2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG 2 defines it, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Streamlit's options, hidden ones too, as a server that starts in our folder has them."""
    monkeypatch.chdir(ROOT)
    return {key: option.value for key, option in config.get_config_options(force_reparse=True).items()}


@pytest.mark.parametrize("key", sorted(flatten(DOCUMENT)))
def test_every_option_exists_and_is_taken_over(key: str, options: dict[str, Any]) -> None:
    assert key in options
    assert options[key] == flatten(DOCUMENT)[key]


def test_the_options_that_safety_and_speed_rest_on() -> None:
    flat = flatten({section: DOCUMENT[section] for section in DOCUMENT if section != "theme"})
    assert flat == {
        "runner.postScriptGC": False,
        "browser.gatherUsageStats": False,
        "client.showErrorLinks": False,
        "client.toolbarMode": "viewer",
        "client.disableDataExport": True,
        "server.maxMessageSize": 32,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.showEmailPrompt": False,
    }


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_theme_sets_every_colour_that_streamlit_knows(mode: str, options: dict[str, Any]) -> None:
    section = f"theme.{mode}"
    known = {key.rsplit(".", 1)[1] for key in options if key.rsplit(".", 1)[0] == section}
    assert {key for key, value in DOCUMENT["theme"][mode].items() if not isinstance(value, dict)} == known - NOT_COLOURS


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_texts_stand_out_from_their_backgrounds(mode: str) -> None:
    theme = DOCUMENT["theme"][mode]
    page, raised, side = (
        theme["backgroundColor"],
        theme["secondaryBackgroundColor"],
        theme["sidebar"]["backgroundColor"],
    )
    pairs = {(text, ground) for text in (theme["textColor"], theme["linkColor"]) for ground in (page, raised, side)}
    pairs |= {(theme[f"{hue}TextColor"], ground) for hue in HUES for ground in (page, theme[f"{hue}BackgroundColor"])}
    pairs |= {
        (theme["codeTextColor"], theme["codeBackgroundColor"]),
        (theme["dataframeHeaderTextColor"], theme["dataframeHeaderBackgroundColor"]),
        ("#ffffff", theme["primaryColor"]),  # Streamlit writes in white on a primary button
    }
    assert {pair: round(contrast(*pair), 2) for pair in pairs if contrast(*pair) < 4.5} == {}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_marks_stand_out_from_the_page(mode: str) -> None:
    theme = DOCUMENT["theme"][mode]
    marks = {theme["primaryColor"], *theme["chartCategoricalColors"], *(theme[f"{hue}Color"] for hue in HUES)}
    assert {
        mark: round(contrast(mark, theme["backgroundColor"]), 2)
        for mark in marks
        if contrast(mark, theme["backgroundColor"]) < 3
    } == {}


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("scale", ["chartSequentialColors", "chartDivergingColors"])
def test_a_scale_has_the_ten_colours_that_streamlit_wants(mode: str, scale: str) -> None:
    assert len(set(DOCUMENT["theme"][mode][scale])) == 10


def test_contrast_of_black_and_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
