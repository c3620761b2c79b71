"""Trains the small Mixer-SNN that ships as an example, on scikit-learn's handwritten digits.

The images (8x8, 17 grey levels, 1,797 of them) are enlarged to 32x32 bytes. Writes
digits_mixer.pth, in the format of the public training script, and digits.npz with calibration and
test images and the trained network's own logits on the test images (float64), to compare a compiled
program with.

    python examples/train_digits.py [--epochs 30] [--out examples]
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.model import MixerSNN

MEAN, STD = 0.3, 0.35
STEPS = 4
CONFIG = MixerConfig(
    dim=24, depths=(1, 1), alpha=3, patch_size=4, image_size=32, in_channels=1, num_classes=10
)


def images_of_digits() -> tuple[np.ndarray, np.ndarray]:
    """All digits as uint8 [n, 1, 32, 32], and their labels."""
    digits = load_digits()
    small = torch.from_numpy(digits.images.astype(np.float32) / 16.0)[:, None]
    large = nn.functional.interpolate(small, size=(32, 32), mode="bilinear", align_corners=False)
    return (large * 255.0).round().to(torch.uint8).numpy(), digits.target.astype(np.int64)


def network_input(images: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    """Normalised images, repeated for every time step: [T, n, 1, 32, 32]."""
    x = (torch.from_numpy(images).to(dtype) / 255.0 - MEAN) / STD
    return x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)


def logits_of(net: nn.Module, images: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    with torch.no_grad():
        parts = [net(network_input(part, dtype)).mean(0) for part in np.array_split(images, 8)]
    return torch.cat(parts).numpy()


def train(net: nn.Module, images: np.ndarray, labels: np.ndarray, epochs: int) -> None:
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-3)
    batches = len(images) // 64
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=epochs * batches)
    target = torch.from_numpy(labels)
    for epoch in range(epochs):
        net.train()
        order = torch.randperm(len(images))[: batches * 64].view(batches, 64)
        # One small shift an epoch: the network sees every digit at several places.
        shift = tuple(int(s) for s in np.random.default_rng(epoch).integers(-2, 3, 2))
        losses = []
        for batch in order:
            moved = np.roll(images[batch.numpy()], shift, axis=(2, 3))
            logits = net(network_input(moved, torch.float32)).mean(0)
            loss = nn.functional.cross_entropy(logits, target[batch], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1}/{epochs}  loss {np.mean(losses):.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    images, labels = images_of_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=500, random_state=options.seed, stratify=labels
    )
    net = MixerSNN(CONFIG)
    train(net, x_train, y_train, options.epochs)
    net.eval()
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    logits = logits_of(net.double(), x_test, torch.float64)
    accuracy = float((logits.argmax(1) == y_test).mean())
    print(f"test accuracy {accuracy:.2%} on {len(y_test)} images")
    arguments = argparse.Namespace(
        T=STEPS, model="mixer_sparse", data="digits", epochs=options.epochs, seed=options.seed
    )
    checkpoint = {
        "model": state,
        "epoch": options.epochs,
        "args": arguments,
        "max_test_acc1": accuracy,
    }
    torch.save(checkpoint, options.out / "digits_mixer.pth")
    np.savez_compressed(
        options.out / "digits.npz",
        x_cal=x_train[:500],
        y_cal=y_train[:500],
        x_test=x_test,
        y_test=y_test,
        logits=logits,
    )


if __name__ == "__main__":
    main()
