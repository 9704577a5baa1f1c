"""A SavedModel whose graph is text, `saved_model.pbtxt`: TensorFlow tells which damaged copies it loads."""

import json
from pathlib import Path

from tests.support import keras_files
from tests.support.writers import run_together

WRITE = """
import json, shutil, sys
from pathlib import Path
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

folder = Path(sys.argv[1])
module = tf.Module()
module.w = tf.Variable([1.0, 2.0])
(folder / "words").write_text("a 1")
module.words = tf.saved_model.Asset(str(folder / "words"))
lines = tf.lookup.TextFileInitializer(module.words, tf.string, 0, tf.int64, 1, delimiter=" ")
module.table = tf.lookup.StaticHashTable(lines, -1)
tf.saved_model.save(module, str(folder / "made"))
message = saved_model_pb2.SavedModel.FromString((folder / "made/saved_model.pb").read_bytes())
text = text_format.MessageToString(message).encode()
texts = {f"cut-{part}": text[: len(text) * part // 8] for part in range(8)}
texts |= {"whole": text, "extended": text + b"\\0\\xff", "flipped": b"\\x9a" + text[1:], "other": b"xx"}
texts |= {"no-asset": text, "no-variables": text}
loads = {}
for name, content in texts.items():
    copy = folder / "copies" / name
    shutil.copytree(folder / "made", copy)
    (copy / "saved_model.pb").unlink()
    (copy / "saved_model.pbtxt").write_bytes(content)
    if name == "no-asset":
        (copy / "assets/words").unlink()
    if name == "no-variables":
        shutil.rmtree(copy / "variables")
    try:
        tf.saved_model.load(str(copy))
        loads[name] = True
    except Exception:
        loads[name] = False
(folder / "loads.json").write_text(json.dumps(loads))
"""


def test_restorable_is_what_tensorflow_loads(tmp_path: Path) -> None:
    run_together([["-c", WRITE, str(tmp_path)]])
    loads = json.loads((tmp_path / "loads.json").read_text())
    found = keras_files.checkpoints(tmp_path / "copies")
    assert {name: item.restorable for name, item in found.items()} == loads
    assert [name for name, restores in loads.items() if restores] == ["whole"]
