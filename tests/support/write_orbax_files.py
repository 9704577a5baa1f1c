"""Saves a JAX tree with Orbax in the forms that programs without Keras use; run in a process of its own.

What each array is stands in `expected-orbax.json`, by the word of the tree itself.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(JAX_PLATFORMS="cpu", XLA_FLAGS="--xla_force_host_platform_device_count=2")

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

FOLDER = Path(sys.argv[1]).absolute()
HALVES = NamedSharding(Mesh(np.array(jax.devices()), ("x",)), PartitionSpec("x"))  # type: ignore[no-untyped-call]
# Arrays of several kinds, one in two devices' halves, one too large to stand inside a node; empty nodes.
TREE: dict[str, Any] = {
    "params": {
        "kernel": jax.device_put(np.arange(24, dtype="float32").reshape(6, 4), HALVES),
        "layers": [jnp.ones(2, "bfloat16"), np.ones((2, 2), "float16"), jnp.zeros(3, "float8_e4m3fn")],
        "large": np.random.default_rng(1).random((100, 100)),
    },
    "opt_state": ({}, None, (), np.ones(2, "complex64")),
    "rng": jax.random.key(0),
    "flags": np.array([True, False]),
    "step": 7,
    "rate": 0.5,
}


def main() -> None:
    """One tree in five forms."""
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(FOLDER / "jax_standard" / "10", TREE)
    named = {**TREE, "name": "run"}
    ocp.PyTreeCheckpointer().save(FOLDER / "jax_pytree" / "step_20", named)
    ocp.PyTreeCheckpointer(use_ocdbt=False).save(FOLDER / "jax_plain" / "30", named)
    ocp.PyTreeCheckpointer(use_zarr3=True).save(FOLDER / "jax_zarr3" / "40", named)
    options = ocp.CheckpointManagerOptions(best_fn=lambda metrics: metrics["loss"])  # without it none are kept
    with ocp.CheckpointManager(FOLDER / "jax_manager", options=options) as manager:
        manager.save(50, args=ocp.args.StandardSave(TREE), metrics={"loss": 0.3})
    with ocp.CheckpointManager(FOLDER / "jax_items") as manager:
        items = {"state": ocp.args.StandardSave(TREE), "extra": ocp.args.StandardSave({"w": np.zeros(3)})}
        manager.save(60, args=ocp.args.Composite(**items))
    many = {f"layer_{number:04}": np.full(3, number) for number in range(1500)}
    ocp.PyTreeCheckpointer().save(FOLDER / "jax_many" / "70", many)
    leaves = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(TREE):
        array = jax.random.key_data(leaf) if path[0].key == "rng" else np.asarray(leaf)
        leaves[jax.tree_util.keystr(path, simple=True, separator="/")] = [str(array.dtype), list(array.shape)]
    (FOLDER / "expected-orbax.json").write_text(json.dumps({"jax": leaves}), encoding="utf-8")


main()
