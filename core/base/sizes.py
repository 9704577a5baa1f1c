"""Bytes as people read them, and the two numbers of bytes that there are.

A place has a number *on disk* and a *file size*; whoever shows bytes of files says which of the two. They differ where
files are sparse, compressed or smaller than a block.
"""

ON_DISK = "On disk: the blocks that files take, as `du` counts them; a file with several names counts once."
FILE_SIZE = "File size: how long files are, as `ls -l` shows it; a sparse file is longer than its blocks."


def size_text(number: int) -> str:
    """Bytes in binary units: 512 B, 4.0 KiB, 1.2 GiB."""
    if number < 0:
        return f"-{size_text(-number)}"
    if number < 1024:
        return f"{number:,} B"
    value = float(number)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1023.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:,.1f} PiB"
