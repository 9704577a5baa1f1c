"""What a checkpoint's name says: a number that may be its step or epoch, and a metric. Nothing of it is certain."""

import math
import re

from waypoint_resume.names import LARGEST, without_endings

_NUMBER = re.compile(r"(?:^|[-_.= ])(?P<number>\d+)(?=$|[-_. ])(?!\.\d)")
_NO_COUNT = re.compile(r"\d+(?:\.\d+)?e-\d+|\d+\.\d+", re.IGNORECASE)
_VALUE = r"-?\d{1,12}\.\d{1,12}(?:e[-+]?\d{1,3})?(?![\d.])"
# Words that end a metric's name. Others before a number (`lr`, `v`, `alpha`) are settings or versions.
_METRIC_WORDS = "loss|accuracy|acc|auc|mae|mse|mape|rmse|error|err|precision|recall|f1|score|iou|dice|map|ppl"
_METRIC_WORDS += "|perplexity|bleu|wer|cer|psnr|ssim|fid|elbo|reward|return"
_METRIC = re.compile(
    rf"(?:^|[^a-z])(?P<name>(?:val_(?:[a-z0-9]+_){{0,4}})?(?:{_METRIC_WORDS}))[-_=: ]?(?P<value>{_VALUE})",
    re.IGNORECASE,
)
# Keras' own example is `{epoch:02d}-{val_loss:.2f}`: a number without a word counts behind an epoch only, at the end.
_UNNAMED = re.compile(rf"(?:^|[-_= ]|(?<!\d)\.|(?<![a-z0-9])e(?:p|poch)?)\d+[-_](?P<value>{_VALUE})$", re.IGNORECASE)
# Eight digits that read as a date are one.
_DATE = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])")


def number_from_name(name: str) -> int | None:
    """The last whole number that stands by itself in a name: 100 of `model.ckpt-100`, 4 of `cp-0004-0.285.keras`."""
    found = [
        int(match["number"])
        for match in _NUMBER.finditer(_NO_COUNT.sub("", without_endings(name)))
        if int(match["number"]) < LARGEST and not _DATE.fullmatch(match["number"])
    ]
    return found[-1] if found else None


def metric_from_name(name: str) -> tuple[str, float] | None:
    """The metric that a name carries: ("val_loss", 0.31) of `weights.05-val_loss-0.31.h5`. One of validation is taken
    before another; a value without a word, as in `cp-0004-0.285.keras`, is named "metric".
    """
    if "." not in name:
        return None
    base = without_endings(name)
    found = [(match["name"].lower(), float(match["value"])) for match in _METRIC.finditer(base)]
    if not found and (match := _UNNAMED.search(base)) is not None:
        found = [("metric", float(match["value"]))]
    found = [(word, value) for word, value in found if math.isfinite(value)]
    return next((one for one in found if one[0].startswith("val_")), found[0]) if found else None
