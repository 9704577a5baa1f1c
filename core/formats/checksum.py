"""Masked CRC-32C, as LevelDB, TFRecord and TensorFlow bundles store it.

A CRC over data that embeds CRCs is weak, hence the mask.
Source: https://github.com/google/leveldb/blob/main/util/crc32c.h
"""

from crc32c import crc32c

__all__ = ["crc32c", "mask", "masked_crc"]

_DELTA = 0xA282EAD8


def mask(crc: int) -> int:
    """The stored form of a CRC-32C: rotated right by 15 bits, plus a constant, modulo 2^32."""
    return (((crc >> 15) | (crc << 17)) + _DELTA) & 0xFFFFFFFF


def masked_crc(data: bytes | memoryview) -> int:
    """The masked CRC-32C of some bytes."""
    return mask(crc32c(data))
