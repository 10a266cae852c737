"""Contestant: Reptile as a plain PyTorch loop, eager or compiled."""

import copy

import numpy as np
import torch
from numpy_tasks import load_tasks
from torch.nn import functional as F
from torch_networks import NETWORKS
from worker import load_settings, serve


class Reptile:
    """Algorithm 2 and its evaluation."""

    def __init__(self, settings):
        self.settings = preset = settings["preset"]
        self.layout = torch.contiguous_format
        if settings["channels_last"]:
            self.layout = torch.channels_last
        model = NETWORKS[preset["network"]](preset["ways"]).train()
        model = model.to(memory_format=self.layout)
        self.correct = 0
        self.weights = list(model.parameters())
        self.optimizer = torch.optim.Adam(
            self.weights,
            lr=preset["learning_rate"],
            betas=(0.0, 0.999),
            eps=1e-8,
            fused=True,
        )
        self.model, self.loss = model, self._loss
        if settings["compile"]:
            # A program for each of the few sizes of a batch.
            self.model = torch.compile(model, dynamic=False)
            self.loss = torch.compile(self._loss, dynamic=False)
        self.tasks, self.test_tasks = load_tasks(settings)

    def _loss(self, x, y):
        return F.cross_entropy(self.model(x), y, reduction="sum")

    def _images(self, images):
        """Returns images as the network takes them."""
        images = torch.from_numpy(images).permute(0, 3, 1, 2)
        return images.contiguous(memory_format=self.layout)

    def adapt(self, tasks, x, y, steps, batch_size):
        """Trains the model on one task."""
        for images, labels in tasks.mini_batches(x, y, steps, batch_size):
            loss = self.loss(self._images(images), torch.from_numpy(labels))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def count_correct(self, x, y):
        """Returns how many of a query set are classified right, in one pass."""
        with torch.no_grad():
            predicted = self.model(self._images(x)).argmax(1).numpy()
        return (predicted == y).sum()

    def _set_weights(self, values):
        with torch.no_grad():
            torch._foreach_copy_(self.weights, values)

    def train(self, count, timer):
        """Makes outer iterations; Adam's state runs on through all of them.

        The query accuracy of every task is counted, as `fit` shows it.
        """
        settings = self.settings
        n = settings["meta_batch_size"]
        timer.start()
        for _ in range(count):
            phi = [w.detach().clone() for w in self.weights]
            total = [torch.zeros_like(p) for p in phi]
            for _ in range(n):
                self._set_weights(phi)
                x, y, query_x, query_y = self.tasks.sample()
                self.adapt(
                    self.tasks,
                    x,
                    y,
                    settings["inner_steps"],
                    settings["inner_batch_size"],
                )
                self.correct += self.count_correct(query_x, query_y)
                with torch.no_grad():
                    torch._foreach_add_(total, self.weights)
            torch._foreach_div_(total, n)
            torch._foreach_lerp_(phi, total, settings["outer_step_size"])
            self._set_weights(phi)
        timer.stop()

    def evaluate(self, count, timer):
        """Adapts to test tasks; predicts each query set in one pass."""
        settings = self.settings
        timer.start()
        phi = [w.detach().clone() for w in self.weights]
        state = copy.deepcopy(self.optimizer.state_dict())
        for _ in range(count):
            self._set_weights(phi)
            # load_state_dict keeps tensors that it is given, and steps would
            # overwrite them.
            self.optimizer.load_state_dict(copy.deepcopy(state))
            x, y, query_x, query_y = self.test_tasks.sample()
            self.adapt(
                self.test_tasks,
                x,
                y,
                settings["eval_inner_steps"],
                settings["eval_inner_batch_size"],
            )
            self.correct += self.count_correct(query_x, query_y)
        self._set_weights(phi)
        self.optimizer.load_state_dict(state)
        timer.stop()


def main():
    """Serves the benchmark."""
    settings = load_settings()
    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    reptile = Reptile(settings)
    serve(
        {"train": reptile.train, "evaluate": reptile.evaluate},
        versions={"torch": torch.__version__, "numpy": np.__version__},
        threads=torch.get_num_threads(),
    )


if __name__ == "__main__":
    main()
