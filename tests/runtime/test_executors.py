"""Both executors against a third, written with dense products; threads, chunks, empty batches."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from programs import lowered
from random_networks import random_images, random_network

from snncc.backends.cpu.plan.encoding import plan_units
from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Graph, GraphBuilder, Kind, Node, Param, verify
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator


def dense(graph: Graph, images: np.ndarray) -> dict[str, np.ndarray]:
    """Every value, and every population's membranes under name + "/z": products and loops."""
    values: dict[str, np.ndarray] = {}
    for node in graph.nodes:
        sources = [graph[n] for n in node.inputs]
        arrays = [values[n].astype(np.int64) for n in node.inputs]
        values[node.name] = dense_node(graph, node, sources, arrays, images, values)
    return values


def einsum(parts: list[tuple[np.ndarray, list[str]]], out: list[str]) -> np.ndarray:
    letters = {n: chr(97 + i) for i, n in enumerate(dict.fromkeys(n for _, a in parts for n in a))}
    text = ",".join("".join(letters[n] for n in axes) for _, axes in parts)
    return np.einsum(f"{text}->{''.join(letters[n] for n in out)}", *[a for a, _ in parts])


def dense_node(
    graph: Graph,
    node: Node,
    sources: list[Node],
    arrays: list[np.ndarray],
    images: np.ndarray,
    values: dict[str, np.ndarray],
) -> np.ndarray:
    op, names = node.op, [list(s.type.names) for s in sources]
    constant = {k: v.astype(np.int64) for k, v in graph.constants.items()}

    def over(param: object, axes: list[str]) -> np.ndarray:
        array, own = constant[param.name], list(param.axes)  # type: ignore[attr-defined]
        shape = [array.shape[own.index(n)] if n in own else 1 for n in axes]
        return array.transpose([own.index(n) for n in axes if n in own]).reshape(shape)

    match op:
        case Frames():
            return images
        case Contract():
            weight_axes = [*op.shared, *(f"out {n}" for n in op.out), *op.into]
            result = [f"out {n}" if n in op.out else n for n in node.type.names]
            parts = [(arrays[0], ["batch", *names[0]]), (constant[op.weight.name], weight_axes)]
            return einsum(parts, ["batch", *result])
        case Convolve():
            carried = [n for n in names[0] if n not in (op.channel, op.height, op.width)]
            order = ["batch", *carried, op.channel, op.height, op.width]
            if op.banks:
                return dense_banks(graph, node, sources, arrays, images, values)
            x = arrays[0].transpose([(["batch", *names[0]]).index(n) for n in order])
            flat = x.reshape(-1, *x.shape[-3:])
            ph, pw = op.padding
            flat = np.pad(flat, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
            weight = constant[op.weight.name]
            outputs, per, kh, kw = weight.shape
            h, w = node.type.size(op.out_height), node.type.size(op.out_width)
            y = np.zeros((len(flat), h, w, outputs), np.int64)
            for o in range(outputs):
                first = o // (outputs // op.groups) * per
                for i in range(h):
                    for j in range(w):
                        top, left = i * op.stride[0], j * op.stride[1]
                        patch = flat[
                            :,
                            first : first + per,
                            top : top + op.dilation[0] * (kh - 1) + 1 : op.dilation[0],
                            left : left + op.dilation[1] * (kw - 1) + 1 : op.dilation[1],
                        ]
                        y[:, i, j, o] = (patch * weight[o]).sum(axis=(1, 2, 3))
            have = ["batch", *carried, op.out_height, op.out_width, op.out_channel]
            y = y.reshape(*x.shape[:-3], h, w, outputs)
            return y.transpose([have.index(n) for n in ["batch", *node.type.names]])
        case Concat() | Sum():
            parts = []
            for i, (array, axes) in enumerate(zip(arrays, names, strict=True)):
                own = [op.out if isinstance(op, Concat) and n == op.along[i] else n for n in axes]
                index = [own.index(n) for n in node.type.names if n in own]
                moved = array.transpose([0, *(1 + k for k in index)])
                sizes = iter(moved.shape[1:])
                shape = [next(sizes) if n in own else 1 for n in node.type.names]
                part = moved.reshape(-1, *shape)
                if isinstance(op, Concat) and TIME in node.type.names and TIME not in own:
                    part = part.repeat(graph.steps, axis=1 + node.type.names.index(TIME))
                parts.append(part)
            if isinstance(op, Concat):
                return np.concatenate(parts, axis=1 + node.type.names.index(op.out))
            shifts = op.shifts or (0,) * len(parts)
            return sum(p * 2**s for p, s in zip(parts, shifts, strict=True))
        case Gain():
            x = arrays[0]
            if TIME in node.type.names and TIME not in names[0]:
                x = np.expand_dims(x, 1 + node.type.names.index(TIME))
            product = x * over(op.mantissa, list(node.type.names))
            return (product + (2**op.shift) // 2) // 2**op.shift
        case IntegerPopulation():
            rest = [n for n in names[0] if n != TIME]
            x = arrays[0]
            x = (
                np.moveaxis(x, 1 + names[0].index(TIME), 0)
                if TIME in names[0]
                else np.stack([x] * graph.steps)
            )
            v, spikes, levels = np.zeros_like(x[0]), [], []

            def of_step(param: object, t: int, default: int) -> np.ndarray:
                array = over(param, ["t", *rest]) if param else np.full([1], default)
                return array[t % len(array)]

            for t, step in enumerate(x):
                threshold = of_step(op.threshold, t, 0)
                bias, sign = of_step(op.bias, t, 0), of_step(op.polarity, t, 1)
                step = step + of_step(op.offset, t, 0)
                divisor = 2 ** op.decay[1]
                if op.rounding is Rounding.TO_ZERO:
                    leak = np.sign(v) * ((op.decay[0] * abs(v) + op.decay_offset) // divisor)
                elif op.rounding is Rounding.DOWN:
                    leak = (op.decay[0] * v + op.decay_offset) // divisor
                else:
                    leak = -((op.decay[0] * -v + op.decay_offset) // divisor)
                z = leak + sign * step + bias
                s = z >= threshold if op.compare == "ge" else z > threshold
                v = (1 - s) * z if op.reset == "hard" else z - s * threshold
                spikes.append(s)
                levels.append(z)
            place = 1 + node.type.names.index(TIME)
            values[f"{node.name}/z"] = np.stack(levels, axis=place)
            return np.stack(spikes, axis=place).astype(np.int64)
        case IntegerReadout():
            x = arrays[0]
            x = x.sum(axis=1 + names[0].index(TIME)) if TIME in names[0] else x * graph.steps
            return x + over(op.offset, list(node.type.names)) if op.offset else x
        case _:
            raise TypeError(op.mnemonic)


def dense_banks(
    graph: Graph,
    node: Node,
    sources: list[Node],
    arrays: list[np.ndarray],
    images: np.ndarray,
    values: dict[str, np.ndarray],
) -> np.ndarray:
    """A convolution with weights by step: one convolution for each step."""
    names = sources[0].type.names
    at = 1 + names.index(TIME) if TIME in names else None
    source = replace(sources[0], type=sources[0].type.without(TIME))
    parts = []
    for t, bank in enumerate(graph.constants[node.op.weight.name]):  # type: ignore[attr-defined]
        op = replace(node.op, weight=Param("bank", ("o", "i", "kh", "kw")))
        single = replace(node, op=op, type=node.type.without(TIME))
        only = replace(graph, constants={"bank": bank})
        x = arrays[0] if at is None else arrays[0].take(t, axis=at)
        parts.append(dense_node(only, single, [source], [x], images, values))
    return np.stack(parts, axis=1 + node.type.names.index(TIME))


@pytest.mark.parametrize("seed", range(60))
def test_the_interpreter_is_the_dense_definition(seed: int) -> None:
    graph = lowered(seed, ("shift-add", "unshared")[seed % 2])
    images = random_images(graph_with_input(seed), seed, 4)
    wanted, got = dense(graph, images), interpret(graph, images, ALL)
    assert np.array_equal(got.readout, wanted[graph.output])
    for name in got.spikes:
        assert np.array_equal(got.spikes[name], wanted[name]), name
        assert np.array_equal(got.membranes[name], wanted[f"{name}/z"]), name
    for node in graph.nodes:
        if node.type.kind is Kind.CURRENT and node.type.range is not None:
            seen = wanted[node.name]
            assert node.type.range[0] <= seen.min(), node.name
            assert seen.max() <= node.type.range[1], node.name


def graph_with_input(seed: int) -> Graph:
    return random_network(seed)


def test_threads_chunks_and_order_do_not_matter() -> None:
    for seed in range(10):
        graph = lowered(seed)
        images = random_images(graph_with_input(seed), seed, 11)
        whole = Simulator(graph).run(images, ALL)
        for threads, size in ((1, 11), (2, 3), (1, 1), (2, 1), (3, 2)):
            simulator = Simulator(graph, threads)
            seen: list[int] = []
            parts = [
                simulator.run(images[i : i + size], ALL, seen.append) for i in range(0, 11, size)
            ]
            assert seen[-1] == min(size, 11 - (11 - 1) // size * size)
            assert np.array_equal(whole.readout, np.concatenate([p.readout for p in parts]))
            for name in whole.membranes:
                assert whole.spike_counts[name] == sum(p.spike_counts[name] for p in parts)
                got = np.concatenate([p.membranes[name] for p in parts])
                assert np.array_equal(whole.membranes[name], got)
        backwards = Simulator(graph).run(images[::-1])
        assert np.array_equal(backwards.readout[::-1], whole.readout)


def test_an_empty_batch_gives_empty_answers() -> None:
    graph = lowered(1)
    images = random_images(graph_with_input(1), 0, 0)
    for execution in (interpret(graph, images), Simulator(graph).run(images)):
        assert execution.readout.shape == (0, 3)
        assert set(execution.spike_counts.values()) == {0}


def test_only_what_is_recorded_is_kept() -> None:
    graph = lowered(2)
    images = random_images(graph_with_input(2), 0, 2)
    name = graph.select(IntegerPopulation)[0].name
    for run in (interpret, lambda g, i, r: Simulator(g).run(i, r)):
        assert set(run(graph, images, [name]).spikes) == {name}
        assert run(graph, images, None).spikes == {}
        with pytest.raises(SnnccError, match="no population is called"):
            run(graph, images, ["nobody"])


def test_wrong_images_are_refused() -> None:
    graph = lowered(2)
    images = random_images(graph_with_input(2), 0, 2)
    for wrong in (images.astype(np.int16), images[:, :, :1], images[0]):
        for run in (interpret, lambda g, i: Simulator(g).run(i)):
            with pytest.raises(SnnccError) as caught:
                run(graph, wrong)
            assert caught.value.code == "SNN016"


def wide(weight: int) -> Graph:
    """A chain whose numbers need more than 32 bits."""
    b = GraphBuilder("integer", 4, "exact")
    image = b.add(Frames(("f",), (3,)), name="image")
    w = b.constant("w", np.full((2, 3), weight, np.int64), ("k", "f"))
    current = b.add(Contract(w, ("f",), ("k",)), [image], name="current")
    gain = b.constant("g", np.array([5, -3]), ("k",))
    scaled = b.add(Gain(gain, 3), [current], name="scaled")
    total = b.add(Sum((2, 0)), [current, scaled], name="total")
    k = b.constant("k", np.array([weight * 700, weight * 50]), ("k",))
    op = IntegerPopulation(k)
    low, high = op.membrane_range(b[total].type, b.context)
    fire = b.add(IntegerPopulation(k, membrane=(low, high)), [total], name="fire")
    one = b.constant("one", np.array([[1, 2]], np.int8), ("o", "k"))
    answer = b.add(Contract(one, ("k",), ("o",)), [fire])
    graph = b.finish(b.add(IntegerReadout(None, 1.0), [answer]))
    verify(graph)
    return graph


@pytest.mark.parametrize("weight", [1, 2**20, 2**24, 2**40])
def test_wide_numbers_do_not_overflow(weight: int) -> None:
    graph = wide(weight)
    total = plan_units(graph, graph.steps).values.get("total")
    assert (total is not None and total.size == 8) == (weight >= 2**20)
    images = np.random.default_rng(0).integers(0, 256, (20, 3)).astype(np.uint8)
    images[0] = 255
    wanted = dense(graph, images)
    for execution in (interpret(graph, images, ALL), Simulator(graph).run(images, ALL)):
        assert np.array_equal(execution.membranes["fire"], wanted["fire/z"])
        assert np.array_equal(execution.readout, wanted[graph.output])


def test_the_runtime_imports_no_torch() -> None:
    code = (
        "import sys, snncc.runtime.simulator, snncc.runtime.interpreter, snncc.data.files\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
