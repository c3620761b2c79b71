"""Small programs and data sets of every kind, the same pixels in each."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from snncc.artifact import Program, save_program
from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames

CLASSES = 7
SIDE = 6


def classifier(seed: int, axes: str = "chw", shape: tuple[int, ...] = (1, SIDE, SIDE)) -> Graph:
    """Pixels, twelve neurons, seven classes; weights so small that classes often tie."""
    rng = np.random.default_rng(seed)
    timed = axes.startswith("t")
    b = GraphBuilder("integer", shape[0] if timed else 3, "exact")
    domain = (0, 1) if timed else (0, 255)
    image = b.add(Frames(tuple(axes), shape, domain=domain), (), (), "image")
    names = tuple(axes[1:] if timed else axes)
    sizes = shape[1:] if timed else shape
    weight = b.constant("w", rng.integers(-9, 10, (12, *sizes)).astype(np.int8), ("n", *names))
    current = b.add(Contract(weight, names, ("n",)), [image], (), "current")
    level = rng.integers(1, 4 if timed else 600, 12)
    op = IntegerPopulation(b.constant("k", level, ("n",)), decay=(1, 1))
    op = replace(op, membrane=op.membrane_range(b[current].type, b.context))
    spikes = b.add(op, [current], (), "spikes")
    head = b.constant("h", rng.integers(-2, 3, (CLASSES, 12)).astype(np.int8), ("k", "n"))
    answer = b.add(Contract(head, ("n",), ("k",)), [spikes], (), "answer")
    graph = b.finish(b.add(IntegerReadout(), [answer], (), "readout"))
    verify(graph)
    return graph


def pixels(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, SIDE, SIDE), dtype=np.uint8)


def write_folder(root: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Class folders, each class in the order of the images."""
    for label in range(CLASSES):
        (root / f"class{label}").mkdir(parents=True)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image[0]).save(root / f"class{label}/{number:04d}.png")


def write_tar(path: Path, images: np.ndarray, labels: np.ndarray, first: int = 0) -> None:
    with tarfile.open(path, "w") as archive:
        for number, (image, label) in enumerate(zip(images, labels, strict=True), first):
            png = io.BytesIO()
            Image.fromarray(image[0]).save(png, "PNG")
            for ending, data in (("png", png.getvalue()), ("cls", str(label).encode())):
                info = tarfile.TarInfo(f"part/{number:04d}.{ending}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


def write_all(root: Path, seed: int, count: int) -> tuple[Graph, np.ndarray, np.ndarray]:
    """p.snncc, images.npy, data.npz (x, y, logits), folder/ and tars/ in one order of images."""
    graph, images = classifier(seed), pixels(seed, count)
    labels = np.sort(np.random.default_rng(seed + 1).integers(0, CLASSES, count))
    save_program(root / "p.snncc", Program(graph, {}))
    logits = np.random.default_rng(seed + 2).random((count, CLASSES))
    np.savez(root / "data.npz", x=images, y=labels, logits=logits)
    np.save(root / "images.npy", images)
    write_folder(root / "folder", images, labels)
    (root / "tars").mkdir()
    cut = count // 3
    write_tar(root / "tars/a.tar", images[:cut], labels[:cut])
    write_tar(root / "tars/b.tar", images[cut:], labels[cut:], cut)
    return graph, images, labels
