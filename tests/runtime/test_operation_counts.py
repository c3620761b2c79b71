"""Operation counts: equal to a loop over every synapse, and to what the dynamic proof executed."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from programs import lowered
from random_networks import random_images, random_network
from test_convolutions import network
from test_dynamic_proof import small
from test_executors import dense_node

from snncc.ir import TIME, Graph, GraphBuilder, Kind, Node, verify
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames
from snncc.runtime import ALL, Execution, interpret
from snncc.runtime.counts.operation_counts import OperationCounts, estimate_energy
from snncc.runtime.counts.synaptic_operations import count_operations, membrane_updates
from snncc.runtime.proofs.dynamic_proof import prove_by_running

Places = dict[str, int]


def synapses_of(graph: Graph, node: Node, t: int = 0) -> list[tuple[Places, int]]:
    """Every synapse at one step: the place of its source by axis, and its weight. By loops."""
    op, source = node.op, graph[node.inputs[0]].type.without(TIME)
    assert isinstance(op, Contract | Convolve)
    weight = graph.constants[op.weight.name]
    if isinstance(op, Convolve) and op.banks:
        weight = weight[t]
    found = []
    for index in np.ndindex(*source.shape):
        place = dict(zip(source.names, map(int, index), strict=True))
        if isinstance(op, Contract):
            lead = tuple((place | {TIME: t})[n] for n in op.shared)
            inner = tuple(place[n] for n in op.into)
            for out in np.ndindex(*(weight.shape[len(lead) : weight.ndim - len(inner)])):
                found.append((place, int(weight[(*lead, *out, *inner)])))
            continue
        outputs, inputs, kh, kw = weight.shape
        rows, columns = node.type.size(op.out_height), node.type.size(op.out_width)
        for o, i, j, p, q in product(*map(range, (outputs, rows, columns, kh, kw))):
            group = o // (outputs // op.groups)
            channel = place[op.channel] - group * inputs
            y = op.stride[0] * i + op.dilation[0] * p - op.padding[0]
            x = op.stride[1] * j + op.dilation[1] * q - op.padding[1]
            if 0 <= channel < inputs and (y, x) == (place[op.height], place[op.width]):
                found.append((place, int(weight[o, channel, p, q])))
    return found


def by_loops(graph: Graph, images: np.ndarray) -> dict[str, tuple[int, int, int, int, int, int]]:
    """Synapses, dense, events, accumulates, effective ACs, effective MACs of each projection."""
    run = interpret(graph, images, ALL)
    counts = {}
    for node in graph.select(Contract, Convolve):
        source = graph[node.inputs[0]]
        pixel = source.type.kind is Kind.COUNT
        assert not isinstance(source.op, Concat)
        array = images if pixel else run.spikes[source.name]
        names = source.type.names
        banks = node.op.weight.axes[:1] == (TIME,)  # type: ignore[attr-defined]
        steps = graph.steps if TIME in names or banks else 1
        events = accumulates = acs = macs = dense = 0
        for image, t in product(range(len(images)), range(steps)):
            for index in np.ndindex(*source.type.without(TIME).shape):
                place = dict(zip(source.type.without(TIME).names, map(int, index), strict=True))
                value = int(array[(image, *(t if n == TIME else place[n] for n in names))])
                events += value.bit_count()
            synapses = synapses_of(graph, node, t)
            dense += len(synapses)
            for place, weight in synapses:
                value = int(array[(image, *(t if n == TIME else place[n] for n in names))])
                accumulates += value.bit_count()
                acs += value.bit_count() * (weight != 0)
                macs += pixel * (value != 0) * (weight != 0)
        counts[node.name] = (len(synapses), dense, events, accumulates, acs, macs)
    return counts


def counted(counts: OperationCounts) -> dict[str, tuple[int, int, int, int, int, int]]:
    return {
        p.name: (
            *(p.synapses, p.dense, p.events),
            *(p.accumulates, p.effective_acs, p.effective_macs),
        )
        for p in counts.projections
    }


def test_counts_are_those_of_a_loop_over_every_synapse() -> None:
    compared = banks = 0
    for seed in range(36):
        graph = lowered(seed, ("shift-add", "unshared")[seed % 2])
        readers = graph.select(Contract, Convolve)
        if any(isinstance(graph[n.inputs[0]].op, Concat) for n in readers):
            continue
        if max(graph[n.name].type.neurons for n in graph.nodes) > 40:
            continue  # the loops would take minutes
        images = random_images(random_network(seed), seed, 2)
        assert counted(count_operations(graph, images)) == by_loops(graph, images), seed
        compared += len(readers)
        banks += sum(node.op.weight.axes[:1] == (TIME,) for node in readers)  # type: ignore[attr-defined]
    assert compared > 50
    assert banks > 0  # weights of their own for every step


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_borders_strides_dilations_and_groups(stride: tuple[int, int]) -> None:
    """A spike at a padded border has fewer synapses; one that a stride skips has none."""
    images = np.random.default_rng(1).integers(0, 256, (1, 4, 9, 10)).astype(np.uint8)
    for case in product(((0, 0), (1, 2)), ((1, 1), (2, 3)), (1, 2), ((3, 2),)):
        graph = network(stride, *case)
        counts = count_operations(graph, images)
        # The loops over the first convolution, the same in each case, are left to the other test.
        last = [n for n in graph.select(Convolve) if n.inputs == ("first",)]
        for node in last:
            synapses = synapses_of(graph, node)
            spikes = interpret(graph, images, ALL).spikes["first"]
            names = graph["first"].type.names
            total = sum(
                int(spikes[(0, *(t if n == TIME else place[n] for n in names))])
                for t in range(graph.steps)
                for place, weight in synapses
                if weight
            )
            (got,) = [p for p in counts.projections if p.name == node.name]
            assert (got.synapses, got.effective_acs) == (len(synapses), total), case


@pytest.mark.parametrize("seed", range(24))
def test_the_dynamic_proof_executed_what_is_counted(seed: int) -> None:
    """Accumulates are its selections; each sum takes one addition fewer than it has terms."""
    graph = lowered(seed, ("shift-add", "unshared")[seed % 2])
    images = random_images(random_network(seed), seed, 3)
    proof = prove_by_running(graph, images, ALL)
    done = {layer.name: layer.counts for layer in proof.layers}
    counts = count_operations(graph, images)
    for each in counts.projections:
        node = graph[each.name]
        assert done[each.name].selects == each.accumulates, (seed, each.name)
        if each.source == "spike":
            assert done[each.name].adds == each.accumulates - _busy(graph, node, proof.execution)
    for each in counts.populations:
        assert each.spikes == proof.execution.spike_counts[each.name]
        assert done[each.name].compares == each.updates, (seed, each.name)
        assert each.updates // graph.steps <= each.membrane_updates <= each.updates
    assert counts.gain_adds <= sum(done[n.name].adds for n in graph.select(Gain))


def _busy(graph: Graph, node: Node, execution: Execution) -> int:
    """Elements of the result that at least one event reaches, whatever the weight."""
    ones = {
        k: np.ones_like(v) if k == node.op.weight.name else v  # type: ignore[attr-defined]
        for k, v in graph.constants.items()
    }
    source = graph[node.inputs[0]]
    values = execution.spikes[source.name].astype(np.int64)
    flat = replace(graph, constants=ones)
    return int(np.count_nonzero(dense_node(flat, node, [source], [values], values, {})))


def chain() -> Graph:
    """Three pixels -> two neurons -> one answer, T = 2."""
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("f",), (3,)), name="image")
    w = b.constant("w", np.array([[1, 0, 2], [0, 0, 5]], np.int8), ("k", "f"))
    current = b.add(Contract(w, ("f",), ("k",)), [image], name="current")
    op = IntegerPopulation(b.constant("k", np.array([7, 100]), ("k",)), decay=(1, 0))
    low, high = op.membrane_range(b[current].type, b.context)
    op = IntegerPopulation(op.threshold, decay=(1, 0), membrane=(low, high))
    fire = b.add(op, [current], name="fire")
    head = b.constant("h", np.array([[3, 0], [1, 1]], np.int8), ("o", "k"))
    graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(head, ("k",), ("o",)), [fire])]))
    verify(graph)
    return graph


def test_neurobench_definitions_by_hand() -> None:
    """Pixels (3, 9, 0) and (1, 0, 2): neuron 0 gets 3 and 5, neuron 1 gets 0 and 10."""
    images = np.array([[3, 9, 0], [1, 0, 2]], np.uint8)
    counts = count_operations(chain(), images)
    first, last = counts.projections
    # 6 weights, used once an image; set bits: 3 = 0b11, 9 = 0b1001; 1 and 2 have one each.
    assert (first.synapses, first.dense) == (6, 12)
    assert first.events == 2 + 2 + 1 + 1
    assert first.accumulates == 2 * first.events
    assert first.effective_acs == 2 * 1 + 2 * 0 + 1 * 1 + 1 * 2  # weights that are not 0
    assert first.effective_macs == 1 + 0 + 1 + 2  # pixels that are not 0
    # Membranes of neuron 0: 3, 6 (no spike); 5, 10 (spike at the second step). Neuron 1: 0, 0;
    # 10, 20: silent.
    (fire,) = counts.populations
    assert (fire.neurons, fire.spikes, fire.updates) == (2, 1, 8)
    assert fire.rate == 1 / 8
    assert counts.activation_sparsity == 7 / 8
    # First steps: 2 neurons * 2 images; then 3 -> 6, 5 -> 0 (reset), 10 -> 20 change, 0 -> 0 not.
    assert fire.membrane_updates == 4 + 3
    assert (last.synapses, last.dense) == (4, 16)
    assert (last.events, last.accumulates, last.effective_acs, last.effective_macs) == (1, 2, 2, 0)
    assert counts.total("effective_acs") == first.effective_acs + 2
    assert counts.total("dense", "spike") == 16
    assert counts.connection_sparsity == (3 + 1) / 10
    assert counts.footprint == 6 + 4 + 2 * 8


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_membrane_updates_compare_what_a_reset_leaves(reset: str) -> None:
    """One neuron, threshold 6, four steps at Z = 8, 2, 2, 8: spikes at the first and the last."""
    levels, spikes = np.array([[[8], [2], [2], [8]]]), np.array([[[1], [0], [0], [1]]])
    b = GraphBuilder("integer", 4, "exact")
    image = b.add(Frames(("f",), (1,)))
    current = b.add(Contract(b.constant("w", np.array([[1]]), ("k", "f")), ("f",), ("k",)), [image])
    op = IntegerPopulation(b.constant("k", np.array([6]), ("k",)), reset=reset)
    graph = b.finish(b.add(op, [current], name="fire"))
    # hard: 0, 2, 2, 0; soft: 2, 2, 2, 2; the first step counts in any case.
    wanted = {"hard": 3, "soft": 1}[reset]
    assert membrane_updates(graph, graph["fire"], spikes, levels) == wanted


def test_additions_of_gains_by_hand() -> None:
    """3 = 4 - 1 takes one addition and 1 none; 7 = 8 - 1 would too: not three, as in binary."""
    images = np.zeros((5, 2), np.uint8)
    assert count_operations(small(), images).gain_adds == 5
    graph = small()
    constants = {**graph.constants, "g": np.array([7, 11])}  # 8 - 1 and 8 + 4 - 1
    assert count_operations(replace(graph, constants=constants), images).gain_adds == 5 * 3


def test_energy_is_labelled_and_follows_its_constants() -> None:
    counts = count_operations(chain(), np.array([[3, 9, 0], [1, 0, 2]], np.uint8))
    floats, integers = estimate_energy(counts)
    assert (floats.arithmetic, floats.mac_pj, floats.ac_pj) == ("float32", 4.6, 0.9)
    assert (integers.arithmetic, integers.mac_pj, integers.ac_pj) == ("int8", 0.23, 0.03)
    assert floats.program == pytest.approx((5 + 2) * 0.9e-6 / 2)
    assert floats.first_layer_as_macs == pytest.approx((4 * 4.6 + 2 * 0.9) * 1e-6 / 2)
    assert floats.dense_macs == pytest.approx((12 + 16) * 4.6e-6 / 2)
    for estimate in (floats, integers):
        assert estimate.label.startswith("ESTIMATE, not a measurement")
        assert "Horowitz" in estimate.label


def test_chunks_do_not_change_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = lowered(3)
    images = random_images(random_network(3), 3, 5)
    whole = count_operations(graph, images)
    monkeypatch.setattr("snncc.runtime.counts.synaptic_operations.CHUNK_BYTES", 1)
    seen: list[int] = []
    assert count_operations(graph, images, seen.append) == whole
    assert seen == [1, 2, 3, 4, 5]


def test_what_the_host_computes_is_not_counted_as_the_programs() -> None:
    graph = chain()
    nodes = tuple(
        replace(n, op=replace(n.op, encoding="host")) if isinstance(n.op, Frames) else n
        for n in graph.nodes
    )
    counts = count_operations(replace(graph, nodes=nodes), np.array([[3, 9, 0]], np.uint8))
    first = counts.projections[0]
    assert first.by_host
    assert (first.effective_acs, first.accumulates, first.effective_macs) == (0, 0, 1)
