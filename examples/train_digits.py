"""Trains small Mixer-SNNs of every trainable variant, on scikit-learn's handwritten digits.

The images (8x8, 17 grey levels, 1,797 of them) are enlarged to 32x32 bytes; 500 are for the test,
the same whatever is trained. Writes a checkpoint in the format of the public training script and
the trained network's own logits on the test images, to compare a compiled program with:

- without options the example of `make demo`: digits_mixer.pth, and digits.npz with the images and
  the logits (float64);
- otherwise VARIANT-tSTEPS.pth, and the logits (float32) under that name in logits.npz.

    python examples/train_digits.py [--variant patch-cell] [--steps 4] [--epochs 30] [--out DIR]

The LayerNorm variant cannot be compiled (it divides by data), so it is not trained here.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.model import MixerSNN

HERE = Path(__file__).parent
MEAN, STD = 0.3, 0.35
STEPS = 4
SPLIT = 0
"""Seed of the split: digits.npz:x_test and x_cal fit every checkpoint."""
VARIANTS: dict[str, dict[str, bool]] = {
    "patch-cell": {},
    "strided": {"patch_cell": False},
    "identity-norm": {"patch_cell": False, "identity_norm": True},
    "tdbn": {},
    "tebn": {},
    "learned-tau": {"learned_tau": True},
}
"""What of `MixerConfig` each variant changes; tebn also ties the network to its number of steps.

tdbn is the patch cell's network. At inference threshold-dependent BatchNorm is BatchNorm; only its
gains start elsewhere.
"""
ALONE = re.compile(r"(\.net\.1|\.proj_[hw]\.2|^batch_norm)$")
"""Norms of a tdbn network whose result is added to no other current."""


def config_of(variant: str, steps: int) -> MixerConfig:
    """The shape of a variant's network."""
    return MixerConfig(
        dim=24,
        depths=(1, 1),
        alpha=3,
        patch_size=4,
        image_size=32,
        in_channels=1,
        num_classes=10,
        scale_steps=steps if variant == "tebn" else 0,
        **VARIANTS[variant],
    )


def untrained(variant: str, steps: int) -> MixerSNN:
    """A variant's network with the weights it starts from."""
    net = MixerSNN(config_of(variant, steps))
    if variant == "tdbn":
        start_at_threshold(net)
    return net


def start_at_threshold(net: MixerSNN) -> None:
    """Gains start at alpha * v_threshold; alpha is 1, or 1/sqrt(2) where currents meet.

    Source: Zheng et al. 2021, "Going Deeper With Directly-Trained Larger Spiking Neural Networks".
    """
    threshold = net.to_patch_embedding_lif[0].v_threshold
    for name, module in net.named_modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            alpha = 1.0 if ALONE.search(name) else 0.5**0.5
            nn.init.constant_(module.weight, alpha * threshold)


def images_of_digits() -> tuple[np.ndarray, np.ndarray]:
    """All digits as uint8 [n, 1, 32, 32], and their labels."""
    digits = load_digits()
    small = torch.from_numpy(digits.images.astype(np.float32) / 16.0)[:, None]
    large = nn.functional.interpolate(small, size=(32, 32), mode="bilinear", align_corners=False)
    return (large * 255.0).round().to(torch.uint8).numpy(), digits.target.astype(np.int64)


def split(images: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Training and test images, training and test labels."""
    parts: list[np.ndarray] = train_test_split(
        images, labels, test_size=500, random_state=SPLIT, stratify=labels
    )
    return parts


def network_input(images: np.ndarray, steps: int, dtype: torch.dtype) -> torch.Tensor:
    """Normalised images, repeated for every time step: [T, n, 1, 32, 32]."""
    x = (torch.from_numpy(images).to(dtype) / 255.0 - MEAN) / STD
    return x.unsqueeze(0).repeat(steps, 1, 1, 1, 1)


def logits_of(net: nn.Module, images: np.ndarray, steps: int) -> np.ndarray:
    """Means over time of the outputs of a float64 network, [n, classes]."""
    with torch.no_grad():
        inputs = (network_input(part, steps, torch.float64) for part in np.array_split(images, 8))
        parts = [net(x).mean(0) for x in inputs]
    return torch.cat(parts).numpy()


def train(net: nn.Module, images: np.ndarray, labels: np.ndarray, epochs: int, steps: int) -> None:
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
            logits = net(network_input(moved, steps, torch.float32)).mean(0)
            loss = nn.functional.cross_entropy(logits, target[batch], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1}/{epochs}  loss {np.mean(losses):.4f}", flush=True)


def add_to(path: Path, name: str, array: np.ndarray) -> None:
    """Puts an array into an .npz file beside what it holds already."""
    held = {}
    if path.exists():
        with np.load(path) as file:
            held = dict(file)
    np.savez_compressed(path, **dict(sorted({**held, name: array}.items())))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variant", choices=VARIANTS, default="patch-cell")
    parser.add_argument("--steps", type=int, default=STEPS, help="time steps T")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--out", type=Path, help="default: where the shipped files are")
    parser.add_argument("--seed", type=int, default=0, help="of weights and batches")
    options = parser.parse_args()
    shipped = (options.variant, options.steps) == ("patch-cell", STEPS)
    out = options.out or (HERE if shipped else HERE / "variants")
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    images, labels = images_of_digits()
    x_train, x_test, y_train, y_test = split(images, labels)
    net = untrained(options.variant, options.steps)
    train(net, x_train, y_train, options.epochs, options.steps)
    net.eval()
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    logits = logits_of(net.double(), x_test, options.steps)
    accuracy = float((logits.argmax(1) == y_test).mean())
    print(f"test accuracy {accuracy:.2%} on {len(y_test)} images")
    arguments = argparse.Namespace(
        T=options.steps,
        # The public script calls the network with the patch cell so.
        model="mixer_sparse" if options.variant == "patch-cell" else options.variant,
        data="digits",
        epochs=options.epochs,
        seed=options.seed,
    )
    checkpoint = {
        "model": state,
        "epoch": options.epochs,
        "args": arguments,
        "max_test_acc1": accuracy,
    }
    if not shipped:
        name = f"{options.variant}-t{options.steps}"
        torch.save(checkpoint, out / f"{name}.pth")
        add_to(out / "logits.npz", name, logits.astype(np.float32))
        return
    torch.save(checkpoint, out / "digits_mixer.pth")
    np.savez_compressed(
        out / "digits.npz",
        x_cal=x_train[:500],
        y_cal=y_train[:500],
        x_test=x_test,
        y_test=y_test,
        logits=logits,
    )


if __name__ == "__main__":
    main()
