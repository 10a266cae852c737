"""The inner loop written again in NumPy, float64, to check the real one by.

A network of two dense layers, tanh between them; weights are the list
[kernel, bias, kernel, bias].
"""

import numpy as np


def losses_and_gradient(weights, x, y, loss, reduction):
    """Returns each example's loss, and the gradient of their sum or mean."""
    kernel_1, bias_1, kernel_2, bias_2 = weights
    hidden = np.tanh(x @ kernel_1 + bias_1)
    outputs = hidden @ kernel_2 + bias_2
    if loss == "cross entropy":
        odds = np.exp(outputs - outputs.max(1, keepdims=True))
        p = odds / odds.sum(1, keepdims=True)
        truth = np.eye(outputs.shape[1])[y]
        losses = -np.log((p * truth).sum(1))
        d_outputs = p - truth
    else:  # squared error, the mean over the outputs
        losses = ((outputs - y) ** 2).mean(1)
        d_outputs = 2 * (outputs - y) / outputs.shape[1]
    if reduction == "mean":
        d_outputs = d_outputs / len(x)
    d_hidden = d_outputs @ kernel_2.T * (1 - hidden**2)
    return losses, [
        x.T @ d_hidden,
        d_hidden.sum(0),
        hidden.T @ d_outputs,
        d_outputs.sum(0),
    ]


class SGD:
    def __init__(self, rate):
        self.rate = rate

    def step(self, gradient):
        return self.rate * gradient


class Adam:
    """In the order of the Adam paper's Algorithm 1.

    Its epsilon is added to the bias-corrected moment; ours and Keras's, before
    the correction, is this one times the correction's root.
    """

    def __init__(self, rate, beta_1, beta_2, epsilon):
        self.settings = rate, beta_1, beta_2, epsilon
        self.t, self.first, self.second = 0, 0.0, 0.0

    def step(self, gradient):
        rate, beta_1, beta_2, epsilon = self.settings
        self.t += 1
        self.first = beta_1 * self.first + (1 - beta_1) * gradient
        self.second = beta_2 * self.second + (1 - beta_2) * gradient**2
        correction = 1 - beta_2**self.t
        first = self.first / (1 - beta_1**self.t)
        second = self.second / correction
        return rate * first / (np.sqrt(second) + epsilon / np.sqrt(correction))


def adapt(weights, x, y, batches, optimizers, loss, reduction):
    """Returns W~ and the mean over the steps of the mean loss.

    Args:
        weights: list of four arrays.
        x: `[S, inputs]`.
        y: labels `[S]`, or targets `[S, outputs]`.
        batches: `[k, B]`, rows of x and y.
        optimizers: one for each array of the weights.
        loss: "cross entropy" or "squared error".
        reduction: "sum" or "mean".
    """
    seen = []
    for rows in batches:
        losses, gradient = losses_and_gradient(
            weights, x[rows], y[rows], loss, reduction
        )
        seen.append(losses.mean())
        weights = [
            w - optimizer.step(g)
            for w, g, optimizer in zip(
                weights, gradient, optimizers, strict=True
            )
        ]
    return weights, np.mean(seen)
