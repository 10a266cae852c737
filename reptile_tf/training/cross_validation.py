"""How good an adapted model is, told from its support set alone."""

import numpy as np

from reptile_tf.training.learner import MetaLearner
from reptile_tf.training.score import Share

# More folds cost more time and tell little more.
MOST_FOLDS = 5


def leave_out(
    learner: MetaLearner,
    x: np.ndarray,
    y: np.ndarray,
    steps: int | None = None,
    seed: int = 0,
) -> tuple[Share, int] | None:
    """Adapts without some of the examples, and asks about these.

    The examples of each class are dealt to k folds in random order; each fold
    is left out once. So every example is asked about once, by a model that
    never saw it.

    Args:
        learner: that adapts; its model has an output for each class.
        x: the examples `[S, ...]`, as `MetaLearner.adapt` takes them.
        y: their labels, integers `[S]` from 0 on.
        steps: inner steps, as of `MetaLearner.adapt`.
        seed: of the folds, any whole number from 0.

    Returns:
        (share, k): the share of right answers, with batch normalization in
        mode "support", and the number of folds; None if a class has a single
        example, which cannot be left out.
    """
    y = np.asarray(y)
    folds = min(MOST_FOLDS, int(np.bincount(y).min()))
    if folds < 2:
        return None
    random, fold = np.random.default_rng(seed), np.empty(len(y), int)
    for label in np.unique(y):
        rows = random.permutation(np.flatnonzero(y == label))
        # From another fold on for each class, so that all are as large.
        fold[rows] = (np.arange(len(rows)) + label) % folds
    right = 0
    for left_out in range(folds):
        asked = fold == left_out
        model = learner.adapt(x[~asked], y[~asked], steps=steps)
        answers = model(x[asked], training=False).numpy()
        answers = answers.argmax(1)
        right += int(np.sum(answers == y[asked]))
    return Share(right, len(y)), folds
