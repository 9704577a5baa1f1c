"""Git LFS pointers: small text files that a clone without Git LFS leaves in the place of the real ones.

Source: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
"""

START = b"version https://git-lfs"
MOST_BYTES = 1024  # the specification's own limit
DETAIL = "a Git LFS pointer stands in its place"


def is_pointer(data: bytes) -> bool:
    """Whether a file that begins with these bytes is a pointer."""
    return data.startswith(START)
