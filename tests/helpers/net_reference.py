"""What lava-dl does, step by step and neuron by neuron, for tests; shares nothing of ours."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Ints = np.ndarray


def toward_zero(state: Ints, decay: int) -> Ints:
    return np.sign(state) * ((np.abs(state) * (4096 - decay)) >> 12)


def convolved(x: Ints, layer: Mapping[str, Any]) -> Ints:
    """[c, h, w], one output at a time."""
    weight = np.asarray(layer["weight"]).astype(np.int64)[..., 0]
    groups = int(layer.get("groups", 1))
    if layer["type"] == "pool":
        weight, groups = np.repeat(weight, len(x), axis=0), len(x)
    (sh, sw), (ph, pw), (dh, dw) = (
        np.broadcast_to(layer.get(name, usual), 2)
        for name, usual in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    padded = np.pad(x, ((0, 0), (ph, ph), (pw, pw)))
    out, per_group, kh, kw = weight.shape
    rows = (padded.shape[1] - dh * (kh - 1) - 1) // sh + 1
    columns = (padded.shape[2] - dw * (kw - 1) - 1) // sw + 1
    made = np.zeros((out, rows, columns), np.int64)
    for o in range(out):
        first = o // (out // groups) * per_group
        for i in range(rows):
            for j in range(columns):
                top, left = i * sh, j * sw
                window = padded[
                    first : first + per_group,
                    top : top + dh * (kh - 1) + 1 : dh,
                    left : left + dw * (kw - 1) + 1 : dw,
                ]
                made[o, i, j] = (window * weight[o]).sum()
    return made


def run(
    layers: Sequence[Mapping[str, Any]], given: Ints, steps: int, *, netx: bool
) -> tuple[dict[int, Ints], dict[int, Ints], Ints | None]:
    """Spikes and membranes by number of layer, [t, ...], and the last membrane of a silent one.

    Args:
        layers: as written.
        given: an image, or spikes [t, ...].
        steps: T.
        netx: each layer one step later, and delays at synapses; else slayer's.
    """
    spikes: dict[int, Ints] = {}
    levels: dict[int, Ints] = {}
    source, flat = given, False
    silent = None
    for number, layer in enumerate(layers):
        if layer["type"] == "flatten":
            flat = True
            continue
        source = source.reshape(steps, -1) if flat else source
        flat = False
        out, membranes = _layer(layer, source, steps, netx=netx)
        spikes[number], levels[number] = out, membranes
        source = out
        if "neuron" not in layer or layer["neuron"]["vThMant"] >= (1 << 17) - 1:
            silent = membranes
        elif not netx and "delay" in layer:
            source = np.zeros_like(out)
            each = np.broadcast_to(np.asarray(layer["delay"]).astype(int).reshape(-1), out.shape[1])
            for o, wait in enumerate(each):
                source[wait:, o] = out[: steps - wait, o]
    return spikes, levels, silent if silent is not None else source


def _layer(layer: Mapping[str, Any], source: Ints, steps: int, *, netx: bool) -> tuple[Ints, Ints]:
    neuron = layer.get("neuron", {"iDecay": 0, "vDecay": 4096, "vThMant": 1 << 18})
    shift = 6 + (0 if netx else neuron.get("wgtExp", 0))
    spikes, levels = [], []
    u = v = before = None
    for t in range(steps):
        if layer["type"] == "input":
            acc, bias = np.zeros_like(source), source
        else:
            acc = _arrives(layer, source, t, netx=netx)
            bias = np.asarray(layer.get("bias", 0)).astype(np.int64).reshape(-1)
            bias = bias.reshape(-1, *[1] * (acc.ndim - 1))
            if before is not None and layer["type"] == "dense_rec":
                acc = acc + np.asarray(layer["weight_rec"]).astype(np.int64) @ before
        u = toward_zero(np.zeros_like(acc) if u is None else u, neuron["iDecay"]) + (acc << shift)
        v = toward_zero(np.zeros_like(acc) if v is None else v, neuron["vDecay"]) + u + (bias << 6)
        before = (v > neuron["vThMant"] << 6).astype(np.int64)
        spikes.append(before)
        levels.append(v)
        v = np.where(before, 0, v)
    return np.array(spikes), np.array(levels)


def _arrives(layer: Mapping[str, Any], source: Ints, t: int, *, netx: bool) -> Ints:
    at = t - 1 if netx else t
    now = source[at] if at >= 0 else np.zeros_like(source[0])
    if not layer["type"].startswith("dense"):
        return convolved(now, layer)
    weight = np.asarray(layer["weight"]).astype(np.int64)
    if not (netx and "delay" in layer):
        return weight @ now
    waits = np.asarray(layer["delay"]).astype(int).reshape(-1)
    waits = np.broadcast_to(waits[:, None] if len(waits) > 1 else waits, weight.shape)
    made = np.zeros(len(weight), np.int64)
    for (o, i), factor in np.ndenumerate(weight):
        when = at - waits[o, i]
        made[o] += factor * source[when, i] if when >= 0 else 0
    return made
