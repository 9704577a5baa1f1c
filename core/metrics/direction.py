"""Whether small or great values of a metric are better, guessed from its name; and which metric tells most of a run.

A guess is a guess: who shows it says so, and a project or a run may say otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from core.base.direction import Direction

_WORDS = {
    Direction.MIN: "loss losses error errors err mse mae rmse mape smape msle rmsle mad perplexity ppl nll bpc bpd bpb "
    "wer cer ter fid kid kl divergence crossentropy entropy hinge logcosh poisson distance lpips deviance eer fnr fpr "
    "far frr brier ece regret elbo_loss penalty latency huber residual",
    Direction.MAX: "acc accuracy auc auroc auprc prc roc f1 fbeta f1score iou miou dice bleu rouge meteor chrf reward "
    "rewards return returns score precision recall map ndcg mrr psnr ssim r2 kappa mcc matthews sensitivity "
    "specificity tpr tnr tp tn hits hit top1 top3 top5 top10 ap ap50 ap75 ar elbo likelihood success win winrate "
    "correlation pearson spearman similarity jaccard is inception throughput auc_pr em exact_match ctr lift gini",
}
_MEANING = {word: direction for direction, words in _WORDS.items() for word in words.split()}
# Together they say what neither says alone.
_PAIRS = {
    "word error": Direction.MIN,
    "explained variance": Direction.MAX,
    "r squared": Direction.MAX,
    "r square": Direction.MAX,
    "rew mean": Direction.MAX,
    "ep rew": Direction.MAX,
    "exact match": Direction.MAX,
    "episode reward": Direction.MAX,
    "cosine similarity": Direction.MAX,
    "false positives": Direction.MIN,
    "false negatives": Direction.MIN,
    "true positives": Direction.MAX,
    "true negatives": Direction.MAX,
    "error rate": Direction.MIN,
    "gradient norm": None,
    "grad norm": None,
    "learning rate": None,
    "loss scale": None,
    "loss weight": None,
    "class weight": None,
}
_PLAIN = re.compile(r"[^\W_]+")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d*|\d+[a-z]*")
_VALIDATION = frozenset("val valid validation eval evaluation dev test".split())  # noqa: SIM905 - as one reads them
_TRAINING = frozenset(("train", "training"))
_OWN = ("loss", "accuracy", "acc")  # what most trainings have, in this order


def guess(tag: str) -> Direction | None:
    """The direction of a tag by the words in it, the last that tells; None where none does."""
    return _by_words(_PLAIN.findall(tag.lower())) or _by_words(_words(tag))


def _by_words(words: list[str]) -> Direction | None:
    if "likelihood" in words and not {"negative", "neg"}.isdisjoint(words):
        return Direction.MIN
    for number in range(len(words) - 1, -1, -1):
        pair = f"{words[number - 1]} {words[number]}" if number else ""
        if pair in _PAIRS:
            return _PAIRS[pair]
        if (found := _MEANING.get(words[number])) is not None:
            return found
    return None


def main_metric(tags: Collection[str]) -> str | None:
    """Of the tags whose direction is guessed the one that tells most: of validation before training, a loss before the
    others, short names before long ones. None where there is none.
    """
    known = [tag for tag in tags if guess(tag) is not None]
    return min(known, key=_rank, default=None)


def is_of_validation(tag: str) -> bool:
    """Whether a tag's words say that it was measured on data that were not trained on."""
    return not _VALIDATION.isdisjoint(_words(tag))


def _rank(tag: str) -> tuple[int, int, int, str]:
    words = _words(tag)
    plain = [word for word in words if word not in _VALIDATION | _TRAINING | {"epoch", "metrics", "metric"}]
    kind = next((place for place, word in enumerate(_OWN) if plain == [word]), len(_OWN))
    other = 0 if kind < len(_OWN) or not plain else len(plain)
    place = 2 if not _TRAINING.isdisjoint(words) else 1
    return (0 if is_of_validation(tag) else place, kind, other, tag)


def _words(tag: str) -> list[str]:
    return [part.lower() for part in _PARTS.findall(tag.replace("_", " "))]
