"""Every tensor of a TensorFlow bundle against the CRC-32C that the index keeps for it, and its values.

Values are looked at whatever they are for: which variables ought to be finite costs more to find out than to read the
index, and is asked only where some are not.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import accumulate

from core.base.errors import CorruptError
from core.formats.bundle import shard_name
from core.formats.bundle_index import ReadIndex, parse_slice
from core.formats.sstable import read_table
from core.verify.tally import Job, Tally
from core.verify.tensor_reader import SeenTensor, TensorReader, WantedTensor

THREADS = 2
_WORTH_A_THREAD = 16 << 20  # bytes


class BundleScan:
    """Reads all tensors of one bundle when it is made; `tell` says what was found once the roles are known.

    Raises FormatError for an index whose tensors overlap, OSError for a shard that cannot be opened.
    """

    def __init__(self, folder: str, prefix: str, found: ReadIndex, tally: Tally) -> None:
        wanted = sorted(_wanted(found), key=lambda item: (item.entry.shard, item.entry.offset))
        _check_overlap(wanted)
        tally.expect(sum(item.entry.size for item in wanted))
        count = len(found.index.shard_lengths)
        names = [shard_name(prefix, number, count) for number in range(count)]
        self.lengths = tuple(zip(names, found.index.shard_lengths, strict=True))
        shards = [f"{folder}/{name}" for name in names]

        def read(part: Sequence[WantedTensor]) -> list[SeenTensor]:
            with closing(TensorReader(shards, tally, found.index.big_endian)) as reader:
                return [reader.look_at(item) for item in part]

        # Reading, checksums and sums let other threads run: two processors are used by halves of the bytes.
        with ThreadPoolExecutor(THREADS) as threads:
            self._seen = [seen for part in threads.map(read, _halves(wanted)) for seen in part]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong with any tensor, whatever it is for."""
        return not any(seen.wrong or seen.is_absent or seen.non_finite for seen in self._seen)

    def tell(self, job: Job, tally: Tally) -> None:
        """Tell the tally what was found."""
        for seen in self._seen:
            name = seen.entry.name
            if seen.why_not is not None:
                tally.skip(name, seen.why_not)
                continue
            tally.read(name)
            if seen.wrong is not None:
                tally.mismatch(name, seen.wrong)
            elif seen.non_finite and job.checks_values(name):
                tally.non_finite(job, name, seen.non_finite, seen.nans)


def _wanted(found: ReadIndex) -> Iterator[WantedTensor]:
    """Whole tensors and, in the place of a partitioned one, its slices under its name."""
    sliced: set[str] = set()
    if found.index.slice_bytes:
        for entry in read_table(found.data).entries[1:]:
            if entry.key[0] == 0:
                part = parse_slice(entry)
                sliced.add(part.name)
                yield WantedTensor(part, part.crc)
    for tensor in found.index.entries.values():
        if tensor.name not in sliced:
            yield WantedTensor(tensor, found.crc(tensor))


def _halves(wanted: Sequence[WantedTensor]) -> tuple[Sequence[WantedTensor], ...]:
    """Two parts of about the same bytes, in order; a small bundle in one."""
    ends = list(accumulate(item.entry.size for item in wanted))
    if not ends or ends[-1] < _WORTH_A_THREAD:
        return (wanted,)
    middle = bisect_left(ends, ends[-1] // 2) + 1
    return wanted[:middle], wanted[middle:]


def _check_overlap(wanted: list[WantedTensor]) -> None:
    """Tensors that share bytes let a small file take forever: TensorFlow writes none."""
    shard, end = -1, 0
    for entry, _ in wanted:
        if entry.shard == shard and entry.offset < end and entry.size:
            raise CorruptError(f"{entry.name} overlaps another tensor", section="bundle entry")
        shard, end = entry.shard, max(end if entry.shard == shard else 0, entry.offset + entry.size)
