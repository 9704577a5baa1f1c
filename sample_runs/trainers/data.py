"""Small synthetic data sets, made with numpy and a fixed seed: nothing is downloaded, every run is repeatable.

A seed makes a task. Its `part` 0 is trained on, others are further rows of the same task, to measure on.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


def _rows(rule: np.random.Generator, seed: int, part: int) -> np.random.Generator:
    """What a part's rows are drawn from, once the rule of the task is drawn."""
    return rule if part == 0 else np.random.default_rng((seed, part))


def digits(count: int, side: int = 12, classes: int = 10, seed: int = 7, part: int = 0) -> tuple[Floats, Ints]:
    """Grey images (count, side, side, 1) in 0..1 and their classes: one fixed blurred pattern per class, plus noise."""
    rng = np.random.default_rng(seed)
    patterns = rng.random((classes, side, side)) > 0.6
    rng = _rows(rng, seed, part)
    labels = rng.integers(0, classes, count).astype(np.int32)
    images = 0.8 * patterns[labels] + 0.25 * rng.standard_normal((count, side, side))
    return np.clip(images, 0, 1).astype(np.float32)[..., None], labels


def blobs(count: int, side: int = 16, seed: int = 11) -> tuple[Floats, Floats]:
    """Noisy images (count, side, side, 1) of one bright disc each, and the disc's mask in the same shape."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side]
    centre = rng.uniform(4, side - 4, (count, 2, 1, 1))
    radius = rng.uniform(2, 4, (count, 1, 1))
    mask = ((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2 < radius**2).astype(np.float32)
    images = mask * 0.7 + 0.3 * rng.random((count, side, side))
    return images.astype(np.float32)[..., None], mask[..., None]


def customers(count: int, width: int = 12, seed: int = 13, part: int = 0) -> tuple[Floats, Floats]:
    """Tabular rows (count, width) and whether each customer left (count, 1): a noisy, slightly bent rule.

    The rule comes of the seed and the count.
    """
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, width)).astype(np.float32)
    rule = rng.standard_normal(width)
    rng = _rows(rng, seed, part)
    if part:
        rows = rng.standard_normal((count, width)).astype(np.float32)
    score = rows @ rule + rows[:, 0] * rows[:, 1] + 0.3 * rng.standard_normal(count)
    return rows, (score > 0).astype(np.float32)[:, None]


def sentences(count: int, length: int = 16, words: int = 60, seed: int = 17) -> tuple[Ints, Floats]:
    """Token ids (count, length) and a mood (count, 1): half of the words lean one way, half the other."""
    rng = np.random.default_rng(seed)
    mood = rng.integers(0, 2, count)
    leaning = rng.random((count, length)) < 0.7
    side = np.where(leaning, mood[:, None], 1 - mood[:, None])
    tokens = rng.integers(0, words // 2, (count, length)) * 2 + side
    return tokens.astype(np.int32), mood.astype(np.float32)[:, None]


def unseen_sentences() -> tuple[Ints, Floats]:
    """The sentences that every reader of moods is measured on: what they achieve can be compared."""
    return sentences(320, seed=59)


def characters(count: int, length: int = 16, letters: int = 28, seed: int = 19, part: int = 0) -> tuple[Ints, Ints]:
    """Windows of a made-up text (count, length) and the same windows one letter later: a Markov chain's output."""
    rng = np.random.default_rng(seed)
    follows = rng.integers(0, letters, (letters, 3))
    rng = _rows(rng, seed, part)
    text = [0]
    for choice in rng.integers(0, 3, count + length):
        text.append(int(follows[text[-1], choice]))
    windows = np.lib.stride_tricks.sliding_window_view(np.array(text, np.int32), length + 1)[:count]
    return windows[:, :-1].copy(), windows[:, 1:].copy()


def utterances(count: int, frames: int = 20, bands: int = 8, seed: int = 23, part: int = 0) -> tuple[Floats, Ints]:
    """Spectrogram-like sequences (count, frames, bands) and which of four words was said."""
    rng = np.random.default_rng(seed)
    words = rng.standard_normal((4, frames, bands))
    rng = _rows(rng, seed, part)
    labels = rng.integers(0, 4, count).astype(np.int32)
    return (words[labels] + 0.9 * rng.standard_normal((count, frames, bands))).astype(np.float32), labels


def ratings(count: int, users: int = 80, items: int = 60, seed: int = 29, part: int = 0) -> tuple[Ints, Ints, Floats]:
    """User ids, item ids and ratings around 0: hidden tastes of four dimensions."""
    rng = np.random.default_rng(seed)
    taste, trait = rng.standard_normal((users, 4)), rng.standard_normal((items, 4))
    rng = _rows(rng, seed, part)
    user = rng.integers(0, users, count).astype(np.int32)
    item = rng.integers(0, items, count).astype(np.int32)
    stars = (taste[user] * trait[item]).sum(axis=1) / 2 + 0.1 * rng.standard_normal(count)
    return user, item, stars.astype(np.float32)[:, None]
