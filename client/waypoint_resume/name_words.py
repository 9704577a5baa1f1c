"""The words in file names that say what the number beside them means. A table: word to meaning."""

from __future__ import annotations

import re
from enum import Enum


class Meaning(Enum):
    """What a word says of the number beside it.

    EPOCH, STEP and BATCH count training; SAVE is a checkpoint's own number, of whatever; METRIC is a measured value. A
    PART (fold, seed, trial, rank, version; a day or week, which may be a horizon) and a SETTING (learning rate, batch
    size) tell trainings apart. A SIZE belongs to an architecture (`resnet_50`), unless what was trained proves that it
    counts.
    """

    EPOCH = "epoch"
    STEP = "step"
    BATCH = "batch"
    SAVE = "save"
    METRIC = "metric"
    PART = "part"
    SETTING = "setting"
    SIZE = "size"


_TABLE = {
    Meaning.EPOCH: "e ep eps epoch epochs epo",
    Meaning.STEP: "step steps global_step globalstep gstep train_step iter iters iteration iterations it its update "
    "updates num_updates",
    Meaning.BATCH: "batch batches",
    Meaning.SAVE: "ckpt ckpts chkpt chkp ckp cp ck cpt checkpoint checkpoints weight weights wts w save saved snapshot "
    "snap backup",
    Meaning.METRIC: "loss accuracy acc auc mae mse mape rmse error err precision recall f1 score iou miou dice map ppl "
    "perplexity fi bleu wer cer psnr ssim fid elbo reward return kappa mcc metric",
    Meaning.PART: "fold folds kfold cv seed trial rank part worker replica split run exp experiment gpu agent member "
    "ensemble version ver v rev try attempt task shard piece chunk stage phase k subject sub patient group cluster "
    "client node head branch hour day week kw month quarter year",
    Meaning.SETTING: "lr learning_rate bs batch_size batchsize wd weight_decay dropout drop dp alpha beta gamma lambda "
    "temp temperature momentum hidden units unit dim dims size width height depth layers layer channels filters heads "
    "embed emb embedding seq len length res resolution px rate hz khz sr mel mels fp bf int float class classes "
    "patience",
    Meaning.SIZE: "resnet resnext wideresnet wrn vgg densenet unet inception xception mobilenet efficientnet bert base "
    "large small tiny medium huge gpt vit yolo darknet alexnet swin convnext nasnet hrnet transformer lstm gru rnn cnn "
    "mlp dense conv cifar imagenet mnist coco tcn wavenet deeplab fcn fpn ssd rcnn",
}
WORDS = {word: meaning for meaning, words in _TABLE.items() for word in words.split()}
# What may follow a number, at once (`100steps`) or behind a dash and in the plural (`10_epochs`).
SUFFIXES = {
    **dict.fromkeys(["ep", "eps", "epoch", "epochs"], Meaning.EPOCH),
    **dict.fromkeys(["step", "steps", "iter", "iters", "iterations", "it", "its"], Meaning.STEP),
    **dict.fromkeys(["fold", "folds"], Meaning.PART),
}
PLURALS = frozenset(["epochs", "steps", "iters", "iterations", "its", "eps", "folds"])
# Words that say nothing: a number at their end may count (`model3`), at the end of others it is a part of a name.
GENERIC = frozenset(
    {"model", "models", "m", "net", "network", "nn", "param", "params", "state", "file"}
    | {"final", "last", "latest", "best", "my", "test"}
)
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def meaning_of(words: list[str]) -> Meaning | None:
    """What the words before a number say of it, by the last of them, or the last two (`batch_size`)."""
    if not words:
        return None
    last = words[-1]
    pair = f"{words[-2]}_{last}".lower() if len(words) > 1 else ""
    camel = (_CAMEL.findall(last) or [last])[-1].lower()
    return WORDS.get(pair) or WORDS.get(last.lower()) or (WORDS.get(camel) if camel != "e" else None)


def metric_name(words: list[str]) -> str:
    """The metric that some words name, from `val` on where it is one of validation: `val_mean_iou`, `loss`."""
    lower = ["f1" if word.lower() == "fi" else word.lower() for word in words]
    if "val" in lower:
        return "_".join(lower[lower.index("val") :])
    camel = _CAMEL.findall(words[-1]) or [words[-1]]
    return lower[-1] if lower[-1] in WORDS or lower[-1] == "f1" else camel[-1].lower()
