"""Contestant: Reptile as a plain eager PyTorch loop."""

import copy

import numpy as np
import torch
from numpy_tasks import NumpyTasks
from torch import nn
from torch.nn import functional as F
from worker import load_settings, serve


def omniglot_cnn(ways: int) -> nn.Sequential:
    """The same network as `reptile_tf.models.omniglot_cnn`."""
    layers, channels = [], 1
    for _ in range(4):
        layers += [
            nn.Conv2d(channels, 64, 3, stride=2, padding=1),
            nn.BatchNorm2d(64, eps=1e-3),
            nn.ReLU(),
        ]
        channels = 64
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, ways))


class Reptile:
    """Algorithm 2 and its evaluation."""

    def __init__(self, settings):
        self.settings = preset = settings["preset"]
        self.model = omniglot_cnn(preset["ways"]).train()
        self.correct = 0
        self.optimizer = torch.optim.Adam(
            self.model.parameters(),
            lr=preset["learning_rate"],
            betas=(0.0, 0.999),
            eps=1e-8,
        )
        data = np.load(settings["data"])
        self.tasks, self.test_tasks = (
            NumpyTasks(
                data[f"{part}_images"],
                data[f"{part}_offsets"],
                preset["ways"],
                preset[shots],
            )
            for part, shots in (("train", "training_shots"), ("test", "shots"))
        )

    def adapt(self, tasks, x, y, steps, batch_size):
        """Trains the model on one task."""
        for images, labels in tasks.mini_batches(x, y, steps, batch_size):
            # One channel: NHWC and NCHW hold the same bytes.
            outputs = self.model(_nchw(images))
            loss = F.cross_entropy(
                outputs, torch.from_numpy(labels), reduction="sum"
            )
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def count_correct(self, x, y):
        """Returns how many of a query set are classified right, in one pass."""
        with torch.no_grad():
            predicted = self.model(_nchw(x)).argmax(1).numpy()
        return (predicted == y).sum()

    def train(self, count, timer):
        """Makes outer iterations; Adam's state runs on through all of them.

        The query accuracy of every task is counted, as `fit` shows it.
        """
        settings, model = self.settings, self.model
        n = settings["meta_batch_size"]
        timer.start()
        for _ in range(count):
            phi = copy.deepcopy(model.state_dict())
            total = [torch.zeros_like(p) for p in model.parameters()]
            for _ in range(n):
                model.load_state_dict(phi)
                x, y, query_x, query_y = self.tasks.sample()
                self.adapt(
                    self.tasks,
                    x,
                    y,
                    settings["inner_steps"],
                    settings["inner_batch_size"],
                )
                self.correct += self.count_correct(query_x, query_y)
                for t, p in zip(total, model.parameters(), strict=True):
                    t += p.detach()
            model.load_state_dict(phi)
            with torch.no_grad():
                for p, t in zip(model.parameters(), total, strict=True):
                    p += settings["outer_step_size"] * (t / n - p)
        timer.stop()

    def evaluate(self, count, timer):
        """Adapts to test tasks; predicts each query set in one pass."""
        settings, model = self.settings, self.model
        timer.start()
        phi = copy.deepcopy(model.state_dict())
        state = copy.deepcopy(self.optimizer.state_dict())
        for _ in range(count):
            model.load_state_dict(phi)
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
        model.load_state_dict(phi)
        self.optimizer.load_state_dict(state)
        timer.stop()


def _nchw(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def main():
    """Serves the benchmark."""
    settings = load_settings()
    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    reptile = Reptile(settings)
    serve(
        {"train": reptile.train, "evaluate": reptile.evaluate},
        versions={"torch": torch.__version__},
        threads=torch.get_num_threads(),
    )


if __name__ == "__main__":
    main()
