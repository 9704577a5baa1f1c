"""What a checkpoint's name says: a number that may be its step or epoch. Used only where the content tells nothing."""

import re

_NUMBER = re.compile(r"(?:^|[-_.= ])(?P<number>\d+)(?=$|[-_. ])(?!\.\d)")
_EPOCH = re.compile(r"(?:^|[^a-z])e(?:p|poch)?[-_=]?(?P<number>\d+)(?=$|[^0-9.])", re.IGNORECASE)
_ENDINGS = re.compile(r"(?:\.(?:weights\.h5|weights\.json|keras|h5|hdf5|ckpt|tf))+$")
_LARGEST = 1_000_000_000  # above, and for eight digits that read as a date, a number is a time
_DATE = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])")


def epoch_from_name(name: str) -> int | None:
    """The number behind the word epoch (`epoch-03`, `e12`), if there is one."""
    if "e" not in name and "E" not in name:
        return None
    match = _EPOCH.search(_ENDINGS.sub("", name))
    return int(match["number"]) if match is not None and int(match["number"]) < _LARGEST else None


def number_from_name(name: str) -> int | None:
    """The last whole number that stands by itself in a name: 100 of `model.ckpt-100`, 4 of `cp-0004-0.285.keras`."""
    found = [
        int(match["number"])
        for match in _NUMBER.finditer(re.sub(r"\d+\.\d+", "", _ENDINGS.sub("", name)))
        if int(match["number"]) < _LARGEST and not _DATE.fullmatch(match["number"])
    ]
    return found[-1] if found else None
