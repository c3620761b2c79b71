"""What the examples on small digits share: the images, a neuron, and a training loop.

    python -m examples.small_digits

writes examples/trained/small_digits.npz: `x_cal`, `y_cal` (500), `x_test`, `y_test` (500), uint8
[n, 1, 8, 8], and `sequences_cal`, `sequences_test`, the same pixel by pixel, [n, 64, 1].

The images are scikit-learn's handwritten digits as they are: 8x8 pixels, grey levels 0..16, stored
as bytes. A network sees sixteenths of them; to the compiler that is `--normalize 0,0.0627450980392`
(16/255), as its pixels are x/255.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

HERE = Path(__file__).parent
TRAINED = HERE / "trained"


class Spike(torch.autograd.Function):
    """1 where v >= 0; its gradient is that of a triangle of width 2."""

    @staticmethod
    def forward(ctx, v: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(v)
        return (v >= 0).to(v)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        (v,) = ctx.saved_tensors
        return gradient * (1 - v.abs()).clamp(min=0)


class LIF(nn.Module):
    """Leaky integrate-and-fire neurons that lose half their membrane a step; time is axis 0."""

    def __init__(self, threshold: float = 1.0) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        v, spikes = torch.zeros_like(x[0]), []
        for current in x:
            v = 0.5 * v + current
            spike = Spike.apply(v - self.threshold)
            v = v * (1 - spike)
            spikes.append(spike)
        return torch.stack(spikes)


def split() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test images, uint8 [n, 1, 8, 8], and their labels; 500 are for the test."""
    digits = load_digits()
    images = digits.images[:, None].astype(np.uint8)
    parts = train_test_split(
        images,
        digits.target.astype(np.int64),
        test_size=500,
        random_state=0,
        stratify=digits.target,
    )
    return tuple(parts)


def moved(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same images, up to one pixel away."""
    return np.roll(images, tuple(rng.integers(-1, 2, 2)), axis=(-2, -1))


def train(
    net: nn.Module,
    answer: Callable[[np.ndarray], torch.Tensor],
    images: np.ndarray,
    labels: np.ndarray,
    epochs: int,
    change: Callable[[np.ndarray, np.random.Generator], np.ndarray] = moved,
    rate: float = 5e-3,
) -> None:
    """AdamW with one cycle of the learning rate, on batches of 64.

    Args:
        net: what is trained; in evaluation mode afterwards.
        answer: its logits [n, classes] for images as they are stored.
        images: of the training, as they are stored.
        labels: their classes.
        epochs: how often each image is seen.
        change: what becomes of a batch before it is shown.
        rate: the largest learning rate.
    """
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
    batches, rng = len(images) // 64, np.random.default_rng(0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * batches)
    for epoch in range(epochs):
        net.train()
        order, losses = rng.permutation(len(images)), []
        for batch in order[: batches * 64].reshape(batches, 64):
            logits = answer(change(images[batch], rng))
            loss = nn.functional.cross_entropy(
                logits, torch.from_numpy(labels[batch]), label_smoothing=0.1
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1}/{epochs}  loss {np.mean(losses):.4f}", flush=True)
    net.eval()


def logits_of(
    net: nn.Module, answer: Callable[[np.ndarray], torch.Tensor], images: np.ndarray
) -> np.ndarray:
    """Answers of a trained network in float64; it is float64 afterwards."""
    net.double()
    with torch.no_grad():
        return torch.cat([answer(part) for part in np.array_split(images, 10)]).numpy()


def keep(net: nn.Module, name: str, logits: np.ndarray, labels: np.ndarray, out: Path) -> None:
    """Writes the weights (float32), and the network's logits on the test data beside others."""
    print(f"{name}: test accuracy {(logits.argmax(1) == labels).mean():.2%} on {len(labels)}")
    out.mkdir(parents=True, exist_ok=True)
    weights = {key: value.clone() for key, value in net.float().state_dict().items()}
    torch.save(weights, out / f"{name}.pth")
    path, held = out / "logits.npz", {}
    if path.exists():
        with np.load(path) as file:
            held = dict(file)
    held[name] = logits.astype(np.float32)
    np.savez_compressed(path, **dict(sorted(held.items())))


def main() -> None:
    x_train, x_test, y_train, y_test = split()
    held = {"x_cal": x_train[:500], "y_cal": y_train[:500], "x_test": x_test, "y_test": y_test}
    for part in ("cal", "test"):
        held[f"sequences_{part}"] = held[f"x_{part}"].reshape(500, 64, 1)
    TRAINED.mkdir(exist_ok=True)
    np.savez_compressed(TRAINED / "small_digits.npz", **held)


if __name__ == "__main__":
    main()
