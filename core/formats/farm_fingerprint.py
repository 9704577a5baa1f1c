"""FarmHash' Fingerprint64, by which TensorFlow knows a SavedModel's parts again (`fingerprint.pb`).

Source: https://github.com/google/farmhash/blob/master/src/farmhash.cc (farmhashna::Hash64). In Python a megabyte takes
about a quarter of a second.
"""

import struct

_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_ALL = (1 << 64) - 1
_BLOCK = 64


def fingerprint64(data: bytes) -> int:
    """The fingerprint of some bytes."""
    length = len(data)
    if length <= 16:
        return _up_to_16(data)
    if length <= 32:
        return _up_to_32(data)
    return _up_to_64(data) if length <= _BLOCK else _long(data)


def _at(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 8], "little")


def _turned(value: int, by: int) -> int:
    return ((value >> by) | (value << (64 - by))) & _ALL


def _mixed(value: int) -> int:
    return value ^ (value >> 47)


def _of_two(one: int, other: int, factor: int) -> int:
    first = ((one ^ other) * factor) & _ALL
    first ^= first >> 47
    second = ((other ^ first) * factor) & _ALL
    second ^= second >> 47
    return (second * factor) & _ALL


def _up_to_16(data: bytes) -> int:
    length = len(data)
    if length >= 8:
        factor = (_K2 + length * 2) & _ALL
        first, last = (_at(data, 0) + _K2) & _ALL, _at(data, length - 8)
        return _of_two(
            (_turned(last, 37) * factor + first) & _ALL, ((_turned(first, 25) + last) * factor) & _ALL, factor
        )
    if length >= 4:
        factor = (_K2 + length * 2) & _ALL
        first = int.from_bytes(data[:4], "little")
        return _of_two((length + (first << 3)) & _ALL, int.from_bytes(data[-4:], "little"), factor)
    if length:
        one, middle, last = data[0], data[length >> 1], data[-1]
        return (_mixed((((one + (middle << 8)) * _K2) & _ALL) ^ (((length + (last << 2)) * _K0) & _ALL)) * _K2) & _ALL
    return _K2


def _up_to_32(data: bytes) -> int:
    length = len(data)
    factor = (_K2 + length * 2) & _ALL
    a, b = (_at(data, 0) * _K1) & _ALL, _at(data, 8)
    c, d = (_at(data, length - 8) * factor) & _ALL, (_at(data, length - 16) * _K2) & _ALL
    one = (_turned((a + b) & _ALL, 43) + _turned(c, 30) + d) & _ALL
    return _of_two(one, (a + _turned((b + _K2) & _ALL, 18) + c) & _ALL, factor)


def _up_to_64(data: bytes) -> int:
    length = len(data)
    factor = (_K2 + length * 2) & _ALL
    a, b = (_at(data, 0) * _K2) & _ALL, _at(data, 8)
    c, d = (_at(data, length - 8) * factor) & _ALL, (_at(data, length - 16) * _K2) & _ALL
    y = (_turned((a + b) & _ALL, 43) + _turned(c, 30) + d) & _ALL
    z = _of_two(y, (a + _turned((b + _K2) & _ALL, 18) + c) & _ALL, factor)
    e, f = (_at(data, 16) * factor) & _ALL, _at(data, 24)
    g, h = ((y + _at(data, length - 32)) * factor) & _ALL, ((z + _at(data, length - 24)) * factor) & _ALL
    one = (_turned((e + f) & _ALL, 43) + _turned(g, 30) + h) & _ALL
    return _of_two(one, (e + _turned((f + a) & _ALL, 18) + g) & _ALL, factor)


def _weak(words: tuple[int, ...], a: int, b: int) -> tuple[int, int]:
    """Four words mixed into two."""
    w, x, y, z = words
    a = (a + w) & _ALL
    b = _turned((b + a + z) & _ALL, 21)
    before = a
    a = (a + x + y) & _ALL
    b = (b + _turned(a, 44)) & _ALL
    return (a + z) & _ALL, (b + before) & _ALL


def _long(data: bytes) -> int:
    seed = 81
    x, y = seed, (seed * _K1 + 113) & _ALL
    z = (_mixed((y * _K2 + 113) & _ALL) * _K2) & _ALL
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _at(data, 0)) & _ALL
    end = (len(data) - 1) // _BLOCK * _BLOCK
    for place in range(0, end, _BLOCK):
        s = struct.unpack_from("<8Q", data, place)
        x = (_turned((x + y + v[0] + s[1]) & _ALL, 37) * _K1) & _ALL
        y = (_turned((y + v[1] + s[6]) & _ALL, 42) * _K1) & _ALL
        x ^= w[1]
        y = (y + v[0] + s[5]) & _ALL
        z = (_turned((z + w[0]) & _ALL, 33) * _K1) & _ALL
        v = _weak(s[:4], (v[1] * _K1) & _ALL, (x + w[0]) & _ALL)
        w = _weak(s[4:], (z + w[1]) & _ALL, (y + s[2]) & _ALL)
        z, x = x, z
    factor = (_K1 + ((z & 0xFF) << 1)) & _ALL
    s = struct.unpack_from("<8Q", data, len(data) - _BLOCK)
    w = ((w[0] + ((len(data) - 1) & 63)) & _ALL, w[1])
    v = ((v[0] + w[0]) & _ALL, v[1])
    w = ((w[0] + v[0]) & _ALL, w[1])
    x = (_turned((x + y + v[0] + s[1]) & _ALL, 37) * factor) & _ALL
    y = (_turned((y + v[1] + s[6]) & _ALL, 42) * factor) & _ALL
    x ^= (w[1] * 9) & _ALL
    y = (y + v[0] * 9 + s[5]) & _ALL
    z = (_turned((z + w[0]) & _ALL, 33) * factor) & _ALL
    v = _weak(s[:4], (v[1] * factor) & _ALL, (x + w[0]) & _ALL)
    w = _weak(s[4:], (z + w[1]) & _ALL, (y + s[2]) & _ALL)
    z, x = x, z
    one = (_of_two(v[0], w[0], factor) + _mixed(y) * _K0 + z) & _ALL
    return _of_two(one, (_of_two(v[1], w[1], factor) + x) & _ALL, factor)
