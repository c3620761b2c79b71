"""Writes small .net files, by h5py alone, as lava-dl's export_hdf5 lays them out."""

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Layer = Mapping[str, Any]
"""Fields by name; "type" is a text, "neuron" a mapping or left out."""


def write(path: Path, layers: Sequence[Layer], steps: int | None = None) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for number, layer in enumerate(layers):
            group = file.create_group(f"layer/{number}")
            for name, value in layer.items():
                if name == "type":
                    group.create_dataset("type", (1,), "S10", [value.encode()])
                elif name == "neuron":
                    for key, each in value.items():
                        group[f"neuron/{key}"] = each
                else:
                    group[name] = value
        if steps is not None:
            file["simulation/Ts"], file["simulation/tSample"] = 1, steps
    return path


def neuron(current: int = 4096, voltage: int = 1024, threshold: int = 25, **more: Any) -> Layer:
    """LOIHI neurons."""
    fields = {"iDecay": current, "vDecay": voltage, "vThMant": threshold, "refDelay": 1}
    return {"type": "LOIHI", **fields, **more}


def dense(weight: Any, neurons: Layer | None = None, **more: Any) -> Layer:
    matrix = np.asarray(weight, np.float32)
    layer = {"type": "dense", "shape": [len(matrix)], "weight": matrix, **more}
    return layer if neurons is None else {**layer, "neuron": neurons}


def image(shape: Sequence[int], neurons: Layer) -> Layer:
    return {"type": "input", "shape": [*shape], "neuron": neurons}


def random_layers(
    seed: int, *, exponents: bool = False
) -> tuple[list[Layer], tuple[int, ...], bool]:
    """Layers of a random network, the shape of its input, and whether that is an image."""
    rng, choice = np.random.default_rng(seed), random.Random(seed)  # noqa: S311
    pictures = choice.random() < 0.6

    def neurons(least: int = 4) -> Layer:
        current = choice.choice((4096, 4096, 410, 2048, 0, 3000))
        if current == 0:
            current = choice.choice((4096, 1024))
        voltage = choice.choice((0, 128, 1024, 4096, 2047))
        more = {"wgtExp": choice.choice((0, 0, 1, -2))} if exponents else {}
        return neuron(current, voltage, choice.randrange(least, 40), **more)

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(-30, 34, shape).astype(np.float32)

    layers: list[Layer] = []
    if not pictures:
        inputs = choice.randrange(3, 9)
        shape: tuple[int, ...] = (inputs,)
    else:
        shape = (choice.choice((1, 2)), 6, 7)
        layers.append(
            image(shape, neuron(4096, choice.choice((0, 1024)), choice.randrange(40, 90)))
        )
        kernel, groups = choice.choice((2, 3)), choice.choice((1, shape[0]))
        layers.append(
            {
                "type": "conv",
                "weight": weights(4, shape[0] // groups, kernel, kernel, 1),
                "stride": [choice.choice((1, 2)), 1],
                "padding": [1, 0],
                "dilation": [1, 1],
                "groups": groups,
                "bias": rng.integers(-9, 20, 4).astype(np.float32),
                "neuron": neurons(),
            }
        )
        window = np.full((1, 1, 2, 2, 1), choice.choice((9, 20)), np.float32)
        layers.append(
            {"type": "pool", "weight": window, "stride": [2, 2], "padding": 0, "neuron": neurons()}
        )
        layers.append({"type": "flatten", "shape": [1]})
        rows = (6 + 2 - kernel) // layers[1]["stride"][0] + 1
        layers[2]["shape"] = [4, rows // 2, (7 - kernel + 1) // 2]
        inputs = math.prod(layers[2]["shape"])
    hidden = choice.randrange(3, 7)
    first = dense(weights(hidden, inputs), neurons(), bias=rng.integers(-5, 9, hidden))
    if choice.random() < 0.5:
        first = {**first, "delay": rng.integers(0, 4, hidden).astype(np.float32)}
    layers.append(first)
    if choice.random() < 0.5:
        back = {"type": "dense_rec", "weight_rec": weights(hidden, hidden)}
        layers.append({**dense(weights(hidden, hidden), neurons()), **back})
    last = choice.choice(("spikes", "sum", "current", "leaky"))
    head = weights(3, hidden)
    bias = rng.integers(-3, 4, 3)
    silent = {"sum": (4096, 0), "leaky": (2048, 512)}
    if last == "current":
        layers.append(dense(head, bias=bias))
    elif last == "spikes":
        layers.append(dense(head, neurons(), bias=bias, delay=np.array([2.0])))
    else:
        layers.append(dense(head, neuron(*silent[last], (1 << 17) - 1), bias=bias))
    return layers, shape, pictures
