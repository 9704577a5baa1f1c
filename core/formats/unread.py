"""Files of models that Waypoint does not read: of which kind they are, by their first bytes, or else by their names.

They are counted and named, so that a folder of them is not passed over in silence. Sources of the marks: PyTorch's
torch/serialization.py, https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/compiler/mlir/lite/schema/schema.fbs,
tensorflow/core/framework/graph.proto, https://docs.python.org/3/library/pickletools.html.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from core.base.files import FileStat
from core.formats import lfs
from core.stores.store import Store
from waypoint_resume.names import join
from waypoint_resume.packed import UNPACKERS

PYTORCH, PICKLE, FROZEN = "PyTorch", "pickle", "frozen TensorFlow graph"
TFLITE = "TFLite"
POINTER = "Git LFS pointer"
META_ONLY = "TensorFlow 1 graph (.meta) without its checkpoint"
NO_SAVED_MODEL = "SavedModel without its saved_model.pb"

_BY_ENDING = {
    ".pt": PYTORCH,
    ".pth": PYTORCH,
    ".pth.tar": PYTORCH,
    ".tflite": TFLITE,
    ".onnx": "ONNX",
    ".pkl": PICKLE,
    ".pickle": PICKLE,
    ".joblib": PICKLE,
    ".dill": PICKLE,
    ".caffemodel": "Caffe",
    ".pdparams": "PaddlePaddle",
    ".pdopt": "PaddlePaddle",
    ".mlmodel": "Core ML",
    ".gguf": "GGUF",
}
_TFJS = re.compile(r"group\d+-shard\d+of\d+\.bin")
_PACKED_CHECKPOINT = re.compile(
    rf"(?:.+\.(?:index|data-\d{{5,}}-of-\d{{5,}}|keras|h5|hdf5)|saved_model\.pb(?:txt)?)\.(?:{'|'.join(UNPACKERS)})",
    re.DOTALL,
)
_PUT_ASIDE = re.compile(
    r".+\.(?:keras|h5|hdf5|index)(?:~|[-_. ]?(?:bak|backup|old|orig|copy|tmp|part|save|crdownload|download|\d+)~?)",
    re.DOTALL,
)
_NUMPY = re.compile(r".*(?:model|weight|param|checkpoint|ckpt).*\.np[yz]", re.DOTALL)  # other arrays are data
_SAVED_MODEL_PARTS = frozenset({"fingerprint.pb", "keras_metadata.pb"})
# Names that tell too little: the content decides, and what it does not tell is nothing.
_LOOKED_INTO = re.compile(r".+\.(?:pb|bin|ckpt|model|lite|meta|sav)|checkpoint_\d+", re.DOTALL)
_MOST_LOOKED_INTO = 32  # files of a folder
_HEAD = 256
_TORCH_ZIP = re.compile(
    rb"PK\x03\x04.{26}[^/\x00]+/(?:data\.pkl|\.format_version|\.storage_alignment|byteorder|version)", re.DOTALL
)
_TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # a pickle of torch's magic number
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_OPERATION = re.compile(rb"[A-Z][A-Za-z0-9_>]*")


def kinds(store: Store, folder: str, files: Iterable[FileStat]) -> Iterator[tuple[str, FileStat]]:
    """The kind of each file that is known and not read; a folder's files that are part of no checkpoint are asked for.
    Only some are looked into.
    """
    looked = 0
    for file in files:
        kind = _by_name(file.name)
        if kind is not None and len(lfs.START) <= file.size <= lfs.MOST_BYTES and looked < _MOST_LOOKED_INTO:
            looked += 1
            kind = POINTER if _is_pointer(store, join(folder, file.name)) else kind
        elif kind is None and file.size and looked < _MOST_LOOKED_INTO and _LOOKED_INTO.fullmatch(file.name.lower()):
            looked += 1
            kind = _by_content(store, join(folder, file.name), file.name.lower())
        if kind is not None:
            yield kind, file


def _is_pointer(store: Store, path: str) -> bool:
    try:
        return lfs.is_pointer(store.read(path, len(lfs.START)))
    except OSError:
        return False


def _by_name(name: str) -> str | None:
    lowered = name.lower()
    if _PACKED_CHECKPOINT.fullmatch(lowered):
        return f"compressed checkpoint (.{lowered.rpartition('.')[2]})"
    if _PUT_ASIDE.fullmatch(lowered):
        return "checkpoint under another name"
    if name in _SAVED_MODEL_PARTS:
        return NO_SAVED_MODEL
    if _TFJS.fullmatch(name):
        return "TensorFlow.js"
    if _NUMPY.fullmatch(lowered):
        return "NumPy arrays"
    stem, dot, ending = lowered.rpartition(".")
    known = _BY_ENDING.get(f"{dot}{ending}") if stem else None
    return known or (PYTORCH if lowered.endswith(".pth.tar") else None)


def _by_content(store: Store, path: str, name: str) -> str | None:
    try:
        head = store.read(path, _HEAD)
    except OSError:
        return None
    return next((kind for kind, is_one in _MARKS if is_one(head, name)), None)


def is_graph(head: bytes) -> bool:
    """Whether a file that begins so is a GraphDef: its first field is a node, that begins with a name and an operation.

    A SavedModel begins with its schema's version, other messages with other fields or with text of another form.
    """
    node = _text_field(head, 0, 1)
    name = None if node is None else _text_field(head, node[0], 1)
    operation = None if name is None else _text_field(head, name[1], 2)
    return operation is not None and _OPERATION.fullmatch(head[operation[0] : operation[1]]) is not None


def is_meta_graph(head: bytes) -> bool:
    """Whether a file that begins so is a MetaGraphDef: its first field is the MetaInfoDef, whose first ones are the
    version of the graph's producer as text, and a list of operations.
    """
    info = _text_field(head, 0, 1)
    return info is not None and head[info[0] : info[0] + 1] in (b"\x0a", b"\x12")


def _text_field(data: bytes, at: int, number: int) -> tuple[int, int] | None:
    """Where the content of a length-delimited field begins and ends, if one of this number stands here. Its end may lie
    behind what was read.
    """
    if at >= len(data) or data[at] != number << 3 | 2:
        return None
    length = shift = 0
    for place in range(at + 1, min(at + 6, len(data))):
        length |= (data[place] & 0x7F) << shift
        shift += 7
        if data[place] < 0x80:
            return place + 1, place + 1 + length
    return None


def _has_ending(ending: str, is_one: Callable[[bytes], bool]) -> Callable[[bytes, str], bool]:
    return lambda head, name: name.endswith(ending) and is_one(head)


# What the first bytes tell, the first that holds; the name is in lower case.
_MARKS: tuple[tuple[str, Callable[[bytes, str], bool]], ...] = (
    (POINTER, lambda head, _: lfs.is_pointer(head)),
    (PYTORCH, lambda head, _: bool(_TORCH_ZIP.match(head)) or head.startswith(_TORCH_LEGACY)),
    (TFLITE, lambda head, _: head[4:8] == b"TFL3"),
    (FROZEN, _has_ending(".pb", is_graph)),
    (META_ONLY, _has_ending(".meta", is_meta_graph)),
    (PICKLE, lambda head, name: not name.endswith((".pb", ".meta")) and _PICKLE.match(head) is not None),
)
