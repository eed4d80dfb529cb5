"""What the options of a training mean, in double precision with numpy and a loop over the epochs."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def slope_of_loss(loss, p, y):
    if loss == "log":
        return p - y
    s = p if loss == "mse" else sigmoid(p)
    return (p - y) * s * (1 - s)


def schedule_factor(schedule, epoch, epochs, decay):
    if schedule == "inverse":
        return (1 + epoch) ** -decay
    return (1 + np.cos(np.pi * epoch / epochs)) / 2 if schedule == "cosine" else 1.0


class Optimizer:
    def __init__(self, name, momentum, beta2, epsilon):
        self.name, self.momentum, self.beta2, self.epsilon = name, momentum, beta2, epsilon
        self.m = self.v = 0.0
        self.steps = 0

    def stretch(self):
        """How far a step goes for a slope that has long been 1: by so much l1 is stretched."""
        if self.name == "gd":
            return 1.0
        if self.name == "adam":
            return 1 / (np.sqrt(self.v / (1 - self.beta2**self.steps)) + self.epsilon)
        return 1 / (1 - self.momentum)

    def direction(self, g):
        self.steps += 1
        if self.name == "gd":
            return g
        if self.name == "adam":
            self.m = self.momentum * self.m + (1 - self.momentum) * g
            self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
            m = self.m / (1 - self.momentum**self.steps)
            v = self.v / (1 - self.beta2**self.steps)
            return m / (np.sqrt(v) + self.epsilon)
        self.m = self.momentum * self.m + g
        return self.m if self.name == "momentum" else g + self.momentum * self.m


def train(
    X, y, weights=None, loss="log", reduction="mean", optimizer="gd", lr=0.1, l2=0.0, l1=0.0, epochs=1000,
    momentum=0.9, beta2=0.999, epsilon=1e-8, schedule="constant", decay=0.5,
):  # fmt: skip
    """w and b after `epochs` full passes; `weights` [n_samples] are what each row counts."""
    weights = np.ones(len(X)) if weights is None else weights
    theta = np.zeros(X.shape[1] + 1)
    penalised = np.r_[np.ones(X.shape[1]), 0.0]
    X1 = np.column_stack([X, np.ones(len(X))])
    step = Optimizer(optimizer, momentum, beta2, epsilon)
    scale = 1 / weights.sum() if reduction == "mean" else 1.0
    for epoch in range(epochs):
        slope = scale * X1.T @ (weights * slope_of_loss(loss, sigmoid(X1 @ theta), y)) + l2 * penalised * theta
        rate = lr * schedule_factor(schedule, epoch, epochs, decay)
        theta = theta - rate * step.direction(slope)
        threshold = rate * l1 * step.stretch() * penalised
        theta = np.sign(theta) * np.maximum(np.abs(theta) - threshold, 0)
    return theta[:-1], theta[-1]
