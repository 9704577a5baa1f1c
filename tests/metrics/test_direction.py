"""Which values of a metric are better, and which metric tells most: tables of names as jobs give them."""

import pytest

from core.metrics.direction import guess, is_of_validation, main_metric

SMALL = """loss val_loss epoch_loss train/loss Loss/train valLoss totalLoss loss_1 mean_squared_error mse val_mae RMSE
root_mean_squared_error sparse_categorical_crossentropy perplexity val_ppl wer CER word_error_rate eval/error_rate
FID kl_divergence negative_log_likelihood nll false_positives false_negatives accuracy_loss auc_loss eer
mean_absolute_percentage_error cosine_distance validation/epoch_loss losses/value_loss rew_loss""".split()  # noqa: SIM905
GREAT = """accuracy val_accuracy val_acc acc_1 sparse_categorical_accuracy top_k_categorical_accuracy auc AUC auc_2
val_auc prc f1 f1_score F1Score val_f1 mean_io_u_iou mIoU dice BLEU rouge precision val_recall rollout/ep_rew_mean
episode_reward_mean charts/episodic_return eval/mean_reward ndcg mAP psnr ssim r2 r2_score explained_variance
reward log_likelihood true_positives cosine_similarity Accuracy/test metrics/top1 loss_accuracy exact_match""".split()  # noqa: SIM905
UNKNOWN = """lr learning_rate epoch step steps_per_second grad_norm global_norm loss_scale time temperature batch_size
queue/fraction_full train/gradient_norm biases weights""".split()  # noqa: SIM905


@pytest.mark.parametrize("tag", SMALL)
def test_small_values_are_better(tag: str) -> None:
    assert guess(tag) == "min"


@pytest.mark.parametrize("tag", GREAT)
def test_great_values_are_better(tag: str) -> None:
    assert guess(tag) == "max"


@pytest.mark.parametrize("tag", UNKNOWN)
def test_nothing_is_guessed(tag: str) -> None:
    assert guess(tag) is None


@pytest.mark.parametrize(
    ("tags", "main"),
    [
        (["accuracy", "loss", "val_accuracy", "val_loss"], "val_loss"),
        (["loss", "accuracy"], "loss"),
        (["loss", "val_accuracy"], "val_accuracy"),
        (["epoch_loss", "epoch_accuracy", "epoch_learning_rate"], "epoch_loss"),
        (["train/loss", "eval/loss", "eval/bleu"], "eval/loss"),
        (["decoder_loss", "encoder_loss", "loss"], "loss"),
        (["val_decoder_loss", "val_loss"], "val_loss"),
        (["rollout/ep_rew_mean", "train/value_loss"], "rollout/ep_rew_mean"),
        (["learning_rate"], None),
        ([], None),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else str(value),
)
def test_the_metric_that_tells_most(tags: list[str], main: str | None) -> None:
    assert main_metric(tags) == main
    assert main_metric(list(reversed(tags))) == main


@pytest.mark.parametrize(
    ("tag", "is_so"),
    [("val_loss", True), ("validation/epoch_loss", True), ("eval/bleu", True), ("valued_loss", False), ("loss", False)],
)
def test_what_is_measured_on_other_data(tag: str, is_so: bool) -> None:
    assert is_of_validation(tag) is is_so
