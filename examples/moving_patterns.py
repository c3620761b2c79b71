"""A recurrent spiking network that says where a moving object goes, from events.

    python -m examples.moving_patterns

makes the recordings, trains (three minutes on one CPU core), and writes examples/trained/:
moving-patterns-t16.pth, the test recordings and some to calibrate with in moving_patterns.npz, and
the network's own logits in logits.npz.

A sample is 16 frames of 12x12 pixels with two channels, ON and OFF: bits, uint8 [16, 2, 12, 12]. A
small object, brighter or darker than what is behind it, moves over a torus in one of 8
directions; a pixel that it enters or leaves may give an event, and some pixels give one for no
reason. No single frame tells the direction: a bright object turns ON what a dark one turns OFF.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from torch import nn

from examples.small_digits import TRAINED, Spike, keep, logits_of, train

STEPS, SIDE, HIDDEN = 16, 12, 96
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
SEEN, NOISE = 0.8, 0.01
"""Shares of changed pixels that give an event, and of all pixels that give one by chance."""


def recordings(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Events of moving objects, uint8 [n, T, 2, 12, 12], and the numbers of their directions."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(DIRECTIONS), count)
    events = np.zeros((count, STEPS, 2, SIDE, SIDE), np.uint8)
    for sample, label in zip(events, labels, strict=True):
        shape = np.zeros((SIDE, SIDE), bool)
        shape[:3, :3] = rng.random((3, 3)) < 0.7
        shape[1, 1] = True
        at, step = rng.random(2) * SIDE, np.array(DIRECTIONS[label]) * rng.uniform(0.6, 1.1)
        bright = rng.integers(2)
        places = [np.roll(shape, tuple((at + t * step).astype(int)), (0, 1)) for t in range(17)]
        for t, (old, new) in enumerate(itertools.pairwise(places)):
            changed = np.stack([new & ~old, old & ~new])[:: 1 if bright else -1]
            seen = rng.random(changed.shape)
            sample[t] = (changed & (seen < SEEN)) | (seen > 1.0 - NOISE)
    return events, labels


class Direction(nn.Module):
    """A layer of neurons that read their own spikes of the step before, and one that counts."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(2 * SIDE * SIDE, HIDDEN)
        self.back = nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.out = nn.Linear(HIDDEN, len(DIRECTIONS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [B, 8] of frames [T, B, 2, 12, 12]."""
        v = spike = x.new_zeros(x.shape[1], HIDDEN)
        answers = []
        for frame in x:
            v = 0.5 * v * (1 - spike) + self.into(frame.flatten(1)) + self.back(spike)
            spike = Spike.apply(v - 1.0)
            answers.append(self.out(spike))
        return torch.stack(answers).mean(0)


def direction() -> nn.Module:
    return Direction().eval()


def turned(events: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same recordings somewhere else."""
    return np.roll(events, tuple(rng.integers(0, SIDE, 2)), axis=(-2, -1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=TRAINED)
    options = parser.parse_args()
    torch.manual_seed(0)
    net = direction()

    def answer(events: np.ndarray) -> torch.Tensor:
        return net(torch.from_numpy(events).to(net.out.weight).transpose(0, 1))

    x_train, y_train = recordings(3000, 1)
    x_test, y_test = recordings(500, 2)
    train(net, answer, x_train, y_train, options.epochs, turned)
    keep(net, f"moving-patterns-t{STEPS}", logits_of(net, answer, x_test), y_test, options.out)
    np.savez_compressed(
        options.out / "moving_patterns.npz",
        x_cal=x_train[:200],
        y_cal=y_train[:200],
        x_test=x_test,
        y_test=y_test,
    )


if __name__ == "__main__":
    main()
