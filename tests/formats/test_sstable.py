"""Tables: what was written is read again, and whatever is cut, flipped or forged ends in a typed error."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.errors import CorruptError, FormatError, TooLargeError, TruncatedError, UnsupportedError
from core.formats import sstable
from core.formats.bundle_index import parse_index
from core.formats.checksum import masked_crc
from core.formats.sstable import FOOTER_SIZE, read_table
from core.formats.varint import read_varint
from tests.support import builders
from tests.support.builders import RAW, SNAPPY, block, entry, footer, table, table_of_blocks, varint

SMALL = builders.bundle(builders.trained())["ckpt.index"]
MANY_BLOCKS = builders.bundle(builders.trained(), block_size=60)["ckpt.index"]
COMPRESSED = builders.bundle(builders.trained(), block_size=200, kind=SNAPPY)["ckpt.index"]
FILES = {"one-block": SMALL, "several-blocks": MANY_BLOCKS, "snappy": COMPRESSED}
each_file = pytest.mark.parametrize("data", FILES.values(), ids=FILES.keys())


def pairs(data: bytes) -> list[tuple[bytes, bytes]]:
    return [(found.key, found.value) for found in read_table(data).entries]


@given(
    entries=st.dictionaries(st.binary(max_size=300), st.binary(max_size=300), max_size=30),
    block_size=st.integers(1, 2000),
    restart_every=st.integers(1, 20),
    kind=st.sampled_from([RAW, SNAPPY]),
)
@settings(max_examples=150, deadline=None)
def test_reads_what_was_written(entries: dict[bytes, bytes], block_size: int, restart_every: int, kind: int) -> None:
    wanted = sorted(entries.items())
    data = table(wanted, block_size=block_size, restart_every=restart_every, kind=kind)
    found = read_table(data)
    assert [(item.key, item.value) for item in found.entries] == wanted
    assert found.compressed is (kind == SNAPPY)
    for item in found.entries:
        assert (item.position is None) is found.compressed
        if item.position is not None:
            assert data[item.position : item.position + len(item.value)] == item.value


@each_file
def test_cut_anywhere_is_a_typed_error(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(FormatError) as caught:
            read_table(data[:length])
        assert (type(caught.value), caught.value.section) == (
            (TruncatedError if length < FOOTER_SIZE else CorruptError),
            "footer",
        ), length


@each_file
def test_any_part_cut_out_before_the_footer_is_a_typed_error(data: bytes) -> None:
    for length in range(len(data) - FOOTER_SIZE):
        with pytest.raises((TruncatedError, CorruptError)) as caught:
            read_table(data[:length] + data[-FOOTER_SIZE:])
        assert caught.value.section in {"metaindex block", "index block"}


@each_file
def test_any_flipped_byte_is_noticed_or_lies_in_the_padding(data: bytes) -> None:
    expected = read_table(data)
    handles = data[-FOOTER_SIZE:-8].rstrip(b"\0")
    padding = range(len(data) - FOOTER_SIZE + len(handles), len(data) - 8)
    for place in range(len(data)):
        for bits in (0x01, 0x80, 0xFF):
            flipped = bytearray(data)
            flipped[place] ^= bits
            # A last digit with the high bit, then the padding's 0: the same number, written longer.
            if place in padding or (place, bits) == (padding.start - 1, 0x80):
                assert read_table(bytes(flipped)) == expected
                continue
            with pytest.raises(FormatError) as caught:
                read_table(bytes(flipped))
            assert caught.value.section


@pytest.mark.parametrize("kind", [RAW, SNAPPY], ids=["raw", "snappy"])
def test_an_empty_table_has_no_entries(kind: int) -> None:
    assert read_table(table([], kind=kind)).entries == ()


def test_many_empty_blocks_are_read() -> None:
    blocks = [block([]), block([(b"a", b"1")]), block([]), block([(b"b", b"2")])]
    assert pairs(table_of_blocks(blocks)) == [(b"a", b"1"), (b"b", b"2")]


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([block([(b"b", b""), (b"a", b"")])], "not in order"),
        ([block([(b"a", b""), (b"a", b"")])], "not in order"),
        ([block([(b"b", b"")]), block([(b"a", b"")])], "not in order"),
        ([entry(1, b"a", b"") + block([])], "beyond its block"),
        ([varint(0) + varint(99) + varint(0) + block([])], "beyond its block"),
        ([varint(0) + varint(0) + varint(2**63) + block([])], "beyond its block"),
        ([varint(0) + varint(2**64) + varint(0) + block([])], "64 bits"),
        ([b"\xff" * 12 + block([])], "ten bytes"),
        ([(2**32 - 1).to_bytes(4, "little")], "more restart points"),
    ],
    ids=["order", "twice", "blocks", "shared", "key", "huge-value", "overflow", "endless", "restarts"],
)
def test_forged_blocks_are_corrupt(blocks: list[bytes], message: str) -> None:
    with pytest.raises(CorruptError, match=message) as caught:
        read_table(table_of_blocks(blocks))
    assert caught.value.section == "data block"


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\0", b"\x80\x80\x80" + (0).to_bytes(4, "little")], ids=["empty", "short", "number"]
)
def test_blocks_that_end_too_early_are_format_errors(content: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        read_table(table_of_blocks([content]))
    assert caught.value.section == "data block"


def test_an_offset_is_the_files_and_not_the_blocks() -> None:
    good = block([(b"a", b"1")])
    with pytest.raises(CorruptError) as caught:
        read_table(table_of_blocks([good, b"\xff" * 12 + block([])]))
    start = len(good) + sstable.TRAILER_SIZE
    assert caught.value.offset is not None
    assert start < caught.value.offset <= start + 10
    with pytest.raises(CorruptError) as caught:
        read_table(table_of_blocks([good, b"\xff" * 12 + block([])], SNAPPY))
    assert caught.value.offset is None


@pytest.mark.parametrize(
    ("handles", "error", "section"),
    [
        (varint(0) + varint(2**40) + varint(0) + varint(0), TooLargeError, "metaindex block"),
        (varint(2**63) + varint(8) + varint(0) + varint(0), TruncatedError, "metaindex block"),
        (varint(2**64) + varint(8) + varint(0) + varint(0), CorruptError, "footer"),
        (b"\x80" * 40, CorruptError, "footer"),
    ],
    ids=["size", "offset", "overflow", "endless"],
)
def test_forged_footers_are_refused(handles: bytes, error: type[FormatError], section: str) -> None:
    with pytest.raises(error) as caught:
        read_table(SMALL[:-FOOTER_SIZE] + footer(handles[:40]))
    assert caught.value.section == section


def test_a_pointer_that_is_cut_off_is_truncated() -> None:
    with pytest.raises(TruncatedError) as caught:
        read_table(table_of_blocks([block([])], pointers=block([(b"a", b"\x80")])))
    assert caught.value.section == "index block"


def test_blocks_that_are_pointed_at_twice_are_refused() -> None:
    """Else a small index block could ask for the same large block a million times."""
    size = len(block([]))
    pointers = block([(b"a", varint(0) + varint(size)), (b"b", varint(0) + varint(size))])
    with pytest.raises(CorruptError, match="overlap"):
        read_table(table_of_blocks([block([])], pointers=pointers))


def test_too_many_entries_are_not_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sstable, "MAX_ENTRIES", 100)
    entries = [(number.to_bytes(2, "big"), b"") for number in range(101)]
    assert len(read_table(table(entries[:100])).entries) == 100
    for block_size in (1, 50, 100_000):
        with pytest.raises(TooLargeError, match="more than 100 entries"):
            read_table(table(entries, block_size=block_size))


@pytest.mark.parametrize(
    ("stored", "error"),
    [
        (varint(2**40) + b"\0", TooLargeError),
        (varint(100) + b"\0a", CorruptError),
        (b"", TruncatedError),
        (b"\xff\xff", TruncatedError),
    ],
    ids=["bomb", "lies", "empty", "cut"],
)
def test_forged_snappy_blocks_are_refused(stored: bytes, error: type[FormatError]) -> None:
    typed = stored + bytes([SNAPPY])
    data = bytearray(typed + masked_crc(typed).to_bytes(4, "little"))
    handles = []
    for content in (block([]), block([(b"a", varint(0) + varint(len(stored)))])):
        handles.append(varint(len(data)) + varint(len(content)))
        data += content + b"\0" + masked_crc(content + b"\0").to_bytes(4, "little")
    with pytest.raises(error) as caught:
        read_table(bytes(data) + footer(b"".join(handles)))
    assert caught.value.section == "data block"


def test_an_unknown_compression_is_unsupported() -> None:
    with pytest.raises(UnsupportedError, match="compression type 2") as caught:
        read_table(table_of_blocks([block([])], kind=2))
    assert (caught.value.section, caught.value.offset) == ("data block", 0)


@given(st.integers(0, 2**64 - 1))
def test_numbers_are_read_again(number: int) -> None:
    assert read_varint(b"x" + varint(number) + b"y", 1, section="s") == (number, 1 + len(varint(number)))


@given(st.integers(2**64, 2**80))
def test_numbers_of_more_than_64_bits_are_corrupt(number: int) -> None:
    with pytest.raises(CorruptError):
        read_varint(varint(number), 0, section="s")


def test_an_index_of_many_blocks_equals_tensorflows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    prefix = str(tmp_path / "many")
    names = [f"layer_{number:05d}/a_rather_long_name_for_a_kernel_{number % 7}" for number in range(6000)]
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(number, shape=(1, 2)) for number in range(len(names))],
    )
    found = read_table((tmp_path / "many.index").read_bytes())
    assert len(found.blocks) > 3
    index = parse_index(found)
    assert list(index.entries) == names
    shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    assert {name: list(item.shape or ()) for name, item in index.entries.items()} == shapes
    data = (tmp_path / "many.data-00000-of-00001").read_bytes()
    assert index.shard_lengths == (len(data),)
    values = [int.from_bytes(data[item.offset : item.offset + 4], "little") for item in index.entries.values()]
    assert values == list(range(len(names)))
