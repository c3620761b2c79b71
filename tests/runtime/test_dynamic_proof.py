"""Programs run on arrays that refuse to multiply: the same bits, exact counts, and it bites."""

import math
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from programs import lowered
from random_networks import random_images, random_network

from snncc.diagnostics import SnnccError
from snncc.ir import Graph, GraphBuilder, Op, verify
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.mfi import prove
from snncc.runtime import ALL, interpret
from snncc.runtime.interpreter import VALUE, At, Computed, currents, neurons, projections
from snncc.runtime.proofs.dynamic_proof import Counts, DynamicProof, prove_by_running
from snncc.runtime.proofs.refusing_arrays import ArithmeticRefused, RefusingArray, Tally


def data(values: Any, tally: Tally | None = None) -> Any:
    return RefusingArray(np.array(values), tally or Tally())


def constant(values: Any, tally: Tally | None = None) -> Any:
    return RefusingArray(np.array(values), tally or Tally(), True)


@pytest.mark.parametrize("seed", range(40))
def test_the_same_bits_and_every_node_within_its_static_verdict(seed: int) -> None:
    graph = lowered(seed, ("shift-add", "unshared")[seed % 2])
    images = random_images(random_network(seed), seed, 4)
    wanted, proof = interpret(graph, images, ALL), prove_by_running(graph, images, ALL)
    got = proof.execution
    assert np.array_equal(wanted.readout, got.readout)
    assert np.array_equal(wanted.logits, got.logits)
    assert wanted.spike_counts == got.spike_counts
    assert type(got.readout) is np.ndarray
    for name in wanted.spikes:
        assert np.array_equal(wanted.spikes[name], got.spikes[name])
        assert np.array_equal(wanted.membranes[name], got.membranes[name])
    assert [layer.name for layer in proof.layers] == [node.name for node in graph.nodes]
    needs = {op.name: op.need for op in prove(graph).ops}
    for layer in proof.layers:
        done, need = layer.counts, needs[layer.name]
        if not need.arithmetic:
            assert done == Counts(), layer
        if "shift" not in need.arithmetic:
            assert done.shifts == 0, layer
        if "select" not in need.arithmetic and layer.op != "gain":
            assert done.selects == 0, layer
        if layer.op == "sum":
            node = graph[layer.name]
            size = len(images) * math.prod(node.type.shape)
            assert done.adds == (len(node.inputs) - 1) * size, layer


def small() -> Graph:
    """Two pixels, two neurons, one answer; T = 2. Small enough to count by hand."""
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("f",), (2,)), name="image")
    w = b.constant("w", np.array([[1, -2], [3, 0]], np.int8), ("k", "f"))
    current = b.add(Contract(w, ("f",), ("k",)), [image], name="current")
    scaled = b.add(Gain(b.constant("g", np.array([3, 1]), ("k",)), 1), [current], name="scaled")
    total = b.add(Sum((2, 0)), [current, scaled], name="total")
    op = IntegerPopulation(b.constant("k", np.array([20, 9]), ("k",)), decay=(1, 1))
    bounds = op.membrane_range(b[total].type, b.context)
    fire = b.add(replace(op, membrane=bounds), [total], name="fire")
    head = b.constant("h", np.array([[1, 1]], np.int8), ("o", "k"))
    answer = b.add(Contract(head, ("k",), ("o",)), [fire], name="head")
    graph = b.finish(b.add(IntegerReadout(), [answer], name="readout"))
    verify(graph)
    return graph


def test_counts_are_those_counted_by_hand() -> None:
    # Pixel 0 has bits 0 and 2 set, pixel 1 bit 0: 5 and 1.
    proof = prove_by_running(small(), np.array([[5, 1]], np.uint8), ALL)
    by = {layer.name: layer.counts for layer in proof.layers}
    assert by["image"] == Counts()
    assert by["current"] == Counts(
        adds=2 + 7 * 2,  # bit 0 adds a second row of 2 weights; 8 planes are joined
        shifts=7 * 2 + 7 * 2,  # 2 pixels and 2 currents of planes 1 to 7
        logic=8 * 2,
        compares=8 * 2,
        selects=3 * 2,  # 3 bits select 2 weights each
    )
    # 3 = 4 - 1: powers 0, 1, 2 are tried, for each of 2 elements; then rounding and the shift.
    assert by["scaled"] == Counts(
        adds=3 * 2 + 2, subtracts=3 * 2, shifts=2 * 2 + 2, selects=3 * 2 * 2
    )
    assert by["total"] == Counts(adds=2, shifts=2)
    # Each of 2 steps: leak (1 digit at power 0), current, bias, comparison, reset.
    assert by["fire"] == Counts(
        adds=2 * 3 * 2, subtracts=2 * 2, shifts=2 * 2, compares=2 * 2, selects=2 * 3 * 2
    )
    spikes = int(proof.execution.spikes["fire"].sum())
    busy = int(proof.execution.spikes["fire"].any(axis=-1).sum())
    assert spikes == 3
    assert by["head"] == Counts(adds=spikes - busy, compares=4, selects=spikes)
    assert by["readout"] == Counts(adds=1)
    assert proof.total.selects == sum(c.selects for c in by.values())


A, B = [1, 2, 3], [4, 5, 6]
REFUSED: dict[str, Callable[[], object]] = {
    "multiply": lambda: data(A) * data(B),
    "multiply by a number": lambda: data(A) * 2,
    "multiply from the left": lambda: 2 * data(A),
    "multiply in place": lambda: data(A).__imul__(2),
    "constants too": lambda: constant(A) * constant(B),
    "np.multiply": lambda: np.multiply(data(A), 2),
    "multiply with out": lambda: np.multiply(2, 3, out=data(A)),
    "multiply.outer": lambda: np.multiply.outer(data(A), data(B)),
    "multiply.reduce": lambda: np.multiply.reduce(data(A)),
    "add.outer": lambda: np.add.outer(data(A), data(B)),
    "add.at": lambda: np.add.at(data(A), [0], 1),
    "add as floats": lambda: np.add(data(A), data(B), dtype=np.float64),
    "matmul": lambda: data([A]) @ data([[1], [2], [3]]),
    "matmul with plain": lambda: np.array([A]) @ data([[1], [2], [3]]),
    "dot": lambda: np.dot(data(A), data(B)),
    "the method dot": lambda: data(A).dot(data(B)),
    "vdot": lambda: np.vdot(data(A), data(B)),
    "inner": lambda: np.inner(data(A), data(B)),
    "tensordot": lambda: np.tensordot(data([A]), data([B]), 1),
    "einsum": lambda: np.einsum("i,i", data(A), data(B)),
    "convolve": lambda: np.convolve(data(A), data(B)),
    "kron": lambda: np.kron(data(A), data(B)),
    "cumprod": lambda: np.cumprod(data(A)),
    "prod": lambda: np.prod(data(A)),
    "mean": lambda: np.mean(data(A)),
    "the method mean": lambda: data(A).mean(),
    "square": lambda: np.square(data(A)),
    "divide": lambda: data(A) / 2,
    "floor_divide": lambda: data(A) // 2,
    "remainder": lambda: data(A) % 2,
    "divmod": lambda: divmod(data(A), 2),
    "power": lambda: data(A) ** 2,
    "a power of two": lambda: 2 ** data(A),
    "sqrt": lambda: np.sqrt(data(A)),
    "exp": lambda: np.exp(data(A)),
    "maximum": lambda: np.maximum(data(A), 0),
    "shift by data": lambda: data(A) << data(B),
    "a constant shifted by data": lambda: 1 << data(A),
    "floats": lambda: data([1.0]),
    "complex": lambda: data([1j]),
    "objects": lambda: data([2**70]),
    "cast to float": lambda: data(A).astype(np.float32),
    "cast that loses bits": lambda: data([300]).astype(np.uint8),
    "a float operand": lambda: data(A) + 0.5,
    "a float in a selection": lambda: np.where(data(A) > 1, 0.5, data(A)),
    "a float stored": lambda: data(A).__setitem__(0, 0.5),
    "a float by promotion": lambda: data(np.array(A, np.uint64)) + data(np.array(A, np.int64)),
    "float zeros": lambda: np.zeros_like(data(A), dtype=np.float64),
    "padding with a mean": lambda: np.pad(data(A), 1, mode="mean"),
    "a plain array": lambda: np.asarray(data(A)),
    "plain copies": lambda: np.array(data(A)),
    "stored in a plain array": lambda: np.zeros(3, np.int64).__setitem__(slice(None), data(A)),
    "a view": lambda: data(A).view(np.ndarray),
    "a list": lambda: data(A).tolist(),
    "one number": lambda: data(A)[0].item(),
    "beside a plain array": lambda: data(A) + np.array(B),
    "selection from a plain array": lambda: np.where(data(A) > 1, np.array(B), 0),
    "look-up in a table": lambda: constant([0, 1, 4, 9])[data(A)],
    "a branch on data": lambda: bool(data(1) > 0),
    "a branch on some data": lambda: (data(A) > 0).any(),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    with pytest.raises(ArithmeticRefused):
        REFUSED[what]()


@pytest.mark.parametrize("convert", [int, float, complex, memoryview, bytes, bytearray])
def test_no_conversion_gets_plain_data_out(convert: Callable[[Any], object]) -> None:
    for value in (data(5), data([5])):
        if convert in (bytes, bytearray) and value.shape == ():
            continue  # an empty sequence
        with pytest.raises((TypeError, ArithmeticRefused)):
            convert(value)
    assert [type(x) for x in data([5, 6])] == [RefusingArray, RefusingArray]


def test_results_are_refusing_arrays_again() -> None:
    x = data([[3, -1], [0, 2]])
    results = [
        *(x + 1, -x, x - x, x << 2, x >> 1, x & 1, x > 0, ~x, x[0], x[:, None], x.sum(axis=1)),
        *(x.transpose([1, 0]), x.reshape(-1), x.astype(np.int32), x[np.array([0, 0])]),
        *(x[x > 0], np.where(x > 0, x, -x), np.stack([x, x]), np.concatenate([x, x], axis=1)),
        *(np.moveaxis(x, 0, 1), np.broadcast_to(x, (3, 2, 2)), np.repeat(x, 2, axis=0)),
        *(np.pad(x, 1), np.zeros_like(x), np.empty_like(x, np.uint8)),
        np.add.reduceat(x, np.array([0, 1]), axis=0),
    ]
    assert {type(r) for r in results} == {RefusingArray}
    row, column = np.nonzero(x)
    assert type(row) is type(column) is np.ndarray  # positions, not data


def test_only_data_is_counted() -> None:
    tally = Tally()
    tally.enter("here")
    c = constant([1, 2, 3], tally)
    assert (c + 1 > 2).any()
    assert tally.counts["here"] == {}
    c[np.array([0, 2])] + 1  # rows that positions select are data
    assert tally.counts["here"] == {"selects": 2, "adds": 2}
    np.add.reduceat(data([1, 2, 3, 4, 5], tally), np.array([0, 1, 4]), axis=0)
    assert tally.counts["here"]["adds"] == 2 + 2
    data([[1, 2, 3], [4, 5, 6]], tally).sum(axis=1)
    assert tally.counts["here"]["adds"] == 4 + 4


Planted = Callable[..., Any]


PLANTED: dict[str, tuple[ModuleType, str, Planted]] = {
    "a gain that multiplies": (currents, "times", lambda x, _: x * 3),
    "a gain in floats": (currents, "times", lambda x, _: x.astype(np.float64)),
    "a leak that multiplies": (neurons, "times", lambda x, _: x * 3),
    "a leak in floats": (neurons, "times", lambda x, _: x.astype(np.float64)),
    "a matrix product": (
        projections,
        "_select_and_add",
        lambda bits, weight: bits.reshape(bits.shape[0], -1).astype(np.int64) @ weight,
    ),
    "an einsum": (
        projections,
        "_select_and_add",
        lambda bits, weight: np.einsum("rai,io->ro", bits, weight),
    ),
    "a product with the spikes": (
        projections,
        "_select_and_add",
        lambda bits, weight: (bits[:, :, :, None] * weight).sum(axis=1),
    ),
    "plain arrays": (
        projections,
        "_select_and_add",
        lambda bits, weight: np.asarray(bits).sum(axis=1) @ np.asarray(weight),
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_an_interpreter_that_multiplies_is_refused(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, name, planted = PLANTED[what]
    monkeypatch.setattr(family, name, planted)
    with pytest.raises(ArithmeticRefused) as caught:
        prove_by_running(small(), np.array([[5, 1]], np.uint8))
    assert caught.value.node in ("current", "scaled", "fire")


@pytest.mark.parametrize("node", ["current", "scaled", "total", "fire", "readout"])
def test_a_product_in_any_op_is_refused(node: str) -> None:
    """Whatever an op gives, three times as much of it is not select and add."""

    def thrice(at: At, op: Op) -> Computed:
        found = meant(at, op)
        return found._replace(value=found.value * 3)

    graph = small()
    with (
        VALUE.replaced(type(graph[node].op), thrice) as meant,
        pytest.raises(ArithmeticRefused) as caught,
    ):
        prove_by_running(graph, np.array([[5, 1]], np.uint8))
    assert caught.value.node == node
    prove_by_running(graph, np.array([[5, 1]], np.uint8))


@pytest.mark.parametrize("op", [IntegerReadout, Contract])
def test_a_value_from_elsewhere_is_no_proof(op: type[Op]) -> None:
    plain = Computed(np.zeros((1, 2 if op is Contract else 1), np.int64))
    refused = pytest.raises((TypeError, ArithmeticRefused), match=r"refusing arrays|plain array")
    with VALUE.replaced(op, lambda *_: plain), refused:
        prove_by_running(small(), np.array([[5, 1]], np.uint8))


@pytest.mark.parametrize("name", ["w", "g", "k", "h"])
def test_a_float_constant_is_refused(name: str) -> None:
    graph = small()
    constants = {**graph.constants, name: graph.constants[name].astype(np.float64)}
    with pytest.raises(ArithmeticRefused, match="float64"):
        prove_by_running(replace(graph, constants=constants), np.array([[5, 1]], np.uint8))


def test_wrong_images_are_refused() -> None:
    with pytest.raises(SnnccError, match="takes images"):
        prove_by_running(small(), np.zeros((1, 3), np.uint8))


def test_an_empty_batch_does_nothing() -> None:
    proof: DynamicProof = prove_by_running(small(), np.zeros((0, 2), np.uint8))
    assert proof.total == Counts()
