"""The fuzzer's targets: what they start from is read, and what once made one fail no longer does."""

import pytest

from core.base.errors import FormatError
from fuzz.targets import TARGETS, run

SEEDS = [(name, number) for name, target in TARGETS.items() for number in range(len(target.seeds))]
REFUSED = {("zip_members", number): "neither stored nor deflated" for number in (4, 5)}


FOUND = [
    # a data file's name that is no UTF-8, quoted in an error
    ("ocdbt", bytes.fromhex("0000000000000000000000000000000000000000000101019601010000001d01fffe9100000707")),
]


@pytest.mark.parametrize(("name", "number"), [seed for seed in SEEDS if seed not in REFUSED])
def test_a_seed_is_read_to_its_end(name: str, number: int) -> None:
    TARGETS[name].run(TARGETS[name].seeds[number])


@pytest.mark.parametrize(("name", "number"), REFUSED)
def test_a_seed_of_another_kind_is_refused(name: str, number: int) -> None:
    with pytest.raises(FormatError, match=REFUSED[name, number]):
        TARGETS[name].run(TARGETS[name].seeds[number])


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_cut_or_bent_anywhere_is_survived(name: str) -> None:
    for seed in TARGETS[name].seeds:
        for place in range(len(seed)):
            run(name, seed[:place])
            for bits in (0x01, 0x80, 0xFF):
                run(name, seed[:place] + bytes([seed[place] ^ bits]) + seed[place + 1 :])


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_the_fuzzer_found_is_survived(name: str, data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        TARGETS[name].run(data)
    assert str(caught.value).encode().decode() == str(caught.value)
