"""TensorFlow's DataType numbers. Source: tensorflow/core/framework/types.proto; a test compares with TensorFlow."""

NAMES: dict[int, str] = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    8: "complex64",
    9: "int64",
    10: "bool",
    11: "qint8",
    12: "quint8",
    13: "qint32",
    14: "bfloat16",
    15: "qint16",
    16: "quint16",
    17: "uint16",
    18: "complex128",
    19: "float16",
    20: "resource",
    21: "variant",
    22: "uint32",
    23: "uint64",
    24: "float8_e5m2",
    25: "float8_e4m3fn",
    26: "float8_e4m3fnuz",
    27: "float8_e4m3b11fnuz",
    28: "float8_e5m2fnuz",
    29: "int4",
    30: "uint4",
    31: "int2",
    32: "uint2",
    33: "float4_e2m1fn",
}
STRING = 7
# Integers that count, with their bytes.
INTEGERS = {"int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8}
# Bytes of one element, where it has a fixed number of them.
SIZES = {
    **INTEGERS,
    **dict.fromkeys(("bool", "qint8", "quint8"), 1),
    **dict.fromkeys(("float16", "bfloat16", "qint16", "quint16"), 2),
    **dict.fromkeys(("float32", "qint32"), 4),
    **dict.fromkeys(("float64", "complex64"), 8),
    "complex128": 16,
    **{name: 1 for name in NAMES.values() if name.startswith("float8")},
}
# What can be trained: only these may be weights.
TRAINABLE = frozenset(name for name in NAMES.values() if name.startswith(("float", "bfloat", "complex")))


def name_of(number: int) -> str:
    """The name that `tf.as_dtype(number).name` gives; 'dtype-N' for a number that is not known."""
    return NAMES.get(number, f"dtype-{number}")
