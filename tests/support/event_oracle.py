"""What TensorBoard's EventAccumulator reads of the event files that are named, as JSON on stdout, by file.

Values and times are exact, for JSON keeps a float's shortest form. TensorBoard is told to do without TensorFlow, whose
import takes seconds.
"""

import json
import sys
import types

sys.modules["tensorboard.compat.notf"] = types.ModuleType("tensorboard.compat.notf")

from google.protobuf import json_format  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402
from tensorboard.plugins.hparams import plugin_data_pb2  # noqa: E402
from tensorboard.util import tensor_util  # noqa: E402


def told(path: str) -> dict[str, object]:
    """The scalars [step, wall time, value], texts [step, text] and hyperparameters of one file."""
    found = EventAccumulator(path, {"scalars": 0, "tensors": 0}, purge_orphaned_data=False)
    found.Reload()
    scalars = {
        tag: [[one.step, one.wall_time, one.value] for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]
    }
    texts: dict[str, object] = {}
    for tag in found.Tags()["tensors"]:
        plugin = found.SummaryMetadata(tag).plugin_data.plugin_name
        values = [(one.step, one.wall_time, tensor_util.make_ndarray(one.tensor_proto)) for one in found.Tensors(tag)]
        if plugin == "scalars":
            scalars[tag] = [[step, wall, float(value.item())] for step, wall, value in values]
        elif plugin == "text":
            texts[tag] = [[step, "\n".join(part.decode() for part in value.reshape(-1))] for step, _, value in values]
    return {"scalars": scalars, "texts": texts, "hparams": _hparams(found)}


def _hparams(found: EventAccumulator) -> dict[str, object]:
    content = found.PluginTagToContent("hparams") if "hparams" in found._plugin_to_tag_to_content else {}
    if "_hparams_/session_start_info" not in content:
        return {}
    data = plugin_data_pb2.HParamsPluginData.FromString(content["_hparams_/session_start_info"])
    return {name: json_format.MessageToDict(value) for name, value in data.session_start_info.hparams.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps({path: told(path) for path in sys.argv[1:]}))
