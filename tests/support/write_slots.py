"""Saves checkpoints of TensorFlow 1's optimizers into the folder of the first argument, under names that jobs choose.

A program of its own: graphs are made, and what an optimizer calls its variables is noted beside each checkpoint.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

v1 = tf.compat.v1
train = v1.train
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "Adam": lambda: train.AdamOptimizer(0.1),
    "LazyAdam": lambda: train.AdamOptimizer(0.1, name="LazyAdam"),
    "RMSProp": lambda: train.RMSPropOptimizer(0.1, centered=True),
    "named RMSProp": lambda: train.RMSPropOptimizer(0.1, momentum=0.9, name="optimizer"),
    "named Momentum": lambda: train.MomentumOptimizer(0.1, 0.9, name="train_op"),
    "Ftrl with a slash": lambda: train.FtrlOptimizer(0.1, name="linear/opt"),
    "Adadelta": lambda: train.AdadeltaOptimizer(0.1),
    "ProximalAdagrad": lambda: train.ProximalAdagradOptimizer(0.1),
    "AdagradDA": lambda: train.AdagradDAOptimizer(0.1, train.get_or_create_global_step()),
    "loss scale": lambda: v1.mixed_precision.MixedPrecisionLossScaleOptimizer(train.AdamOptimizer(0.1), "dynamic"),
}
SCOPES = {"Adam": "training/opt", "LazyAdam": "training/opt", "RMSProp": "train"}  # in which the optimizer is made


def main() -> None:
    """A folder for each."""
    told = {}
    for number, (name, make) in enumerate(OPTIMIZERS.items()):
        with v1.Graph().as_default(), v1.Session() as session:
            with v1.variable_scope("tower/net"):
                kernel = v1.get_variable("dense/kernel", shape=(2, 3))
                weights = [kernel, v1.get_variable("dense/bias", shape=(3,)), v1.get_variable("scale", shape=())]
            step = train.get_or_create_global_step()
            loss = sum(v1.reduce_sum(weight * weight) for weight in weights)
            if name in SCOPES:
                with v1.variable_scope(SCOPES[name]):
                    make().minimize(loss, step)
            else:
                make().minimize(loss, step)
            others = {one.op.name for one in (*weights, step)}
            told[name] = sorted({one.op.name for one in v1.global_variables()} - others)
            train.ExponentialMovingAverage(0.9).apply(weights)
            session.run(v1.global_variables_initializer())
            train.Saver().save(session, str(Path(sys.argv[1]) / f"{number}" / "model.ckpt"), step)
    (Path(sys.argv[1]) / "told.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
