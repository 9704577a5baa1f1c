"""TensorFlow 1's V1 checkpoint: every block of the file against its checksum.

The file keeps one masked CRC-32C for each block of its table, over the block and its type byte, and none for a tensor.
"""

import os

from core.formats.checksum import crc32c, mask
from core.formats.sstable import TRAILER_SIZE, Handle, block_places
from core.verify.tally import WINDOW, Job, Tally

NOTE = "The format keeps checksums of blocks and not of tensors; whether the values are finite was not looked at."


def verify_table(job: Job, tally: Tally) -> None:
    """Read every block. Raises FormatError for a file whose index block is broken."""
    tally.notes.append(NOTE)
    descriptor = os.open(f"{job.folder}/{job.name}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        size = os.fstat(descriptor).st_size
        places = list(block_places(size, lambda offset, length: os.pread(descriptor, length, offset)))
        tally.expect(sum(place.size + TRAILER_SIZE for place in places))
        for place in places:
            if not _holds(descriptor, place, tally):
                end = place.offset + place.size
                name = f"the block at byte {place.offset:,}"
                tally.mismatch(name, f"The checksum of bytes {place.offset:,} to {end:,} does not hold.")
    finally:
        os.close(descriptor)
    if not tally.problem_count:
        for name in job.roles:
            tally.read(name)


def _holds(descriptor: int, place: Handle, tally: Tally) -> bool:
    """Whether a block's checksum holds; also not where the file ends before it does."""
    crc, end = 0, place.offset + place.size + TRAILER_SIZE - 4
    for start in range(place.offset, end, WINDOW):
        data = os.pread(descriptor, min(WINDOW, end - start), start)
        crc = crc32c(data, crc)
        tally.advance(len(data))
    return os.pread(descriptor, 4, end) == mask(crc).to_bytes(4, "little")
