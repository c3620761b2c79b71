"""Cores that hold one convolution each: memories in powers of two, then a matching to cores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snncc.chips.facts import Chip
from snncc.chips.needs import Needs, bits_of
from snncc.chips.rules.neurons import fewer_bits
from snncc.chips.verdicts import PROGRAM, Judge
from snncc.ir import TIME, Graph, Node
from snncc.ir.dialects.projections import Contract, Convolve, Frames, Sum


@dataclass(frozen=True)
class Job:
    """A map that needs a core of its own, with the words of memory that it takes."""

    name: str
    kernel: int
    neurons: int


def judge_layer_cores(judge: Judge, graph: Graph, needs: Sequence[Needs]) -> None:
    """Compares a program with cores of one convolution each."""
    for each in needs:
        _weights(judge, each)
        judge.at_most(
            each.name,
            "distinct thresholds",
            each.thresholds,
            "neuron.thresholds",
            "thresholds folded into weights, as --profile loihi-lava does",
        )
    jobs = [job for node in graph.nodes if (job := _job(judge, graph, node)) is not None]
    _input(judge, graph)
    _grids(judge, graph)
    _destinations(judge, graph)
    _shared_currents(judge, graph)
    _cores(judge, jobs)


def _weights(judge: Judge, needs: Needs) -> None:
    limit = judge.chip.whole("synapse.weight_bits")
    change = fewer_bits(0 if limit is None else needs.stored_bits - limit, needs)
    judge.at_most(needs.name, "weight bits", needs.stored_bits, "synapse.weight_bits", change)


def _grids(judge: Judge, graph: Graph) -> None:
    """Maps of one sum add up as they are: what is shifted against the others has wider weights."""
    for node in graph.select(Sum):
        shifts = node.op.shifts if isinstance(node.op, Sum) else ()
        for name, shift in zip(node.inputs, shifts, strict=False):
            op = graph[name].op
            if isinstance(op, Contract | Convolve) and shift > min(shifts):
                bits = bits_of(graph.constants[op.weight.name]) + shift - min(shifts)
                change = "maps of one sum on one grid of weights"
                judge.at_most(
                    name, "weight bits beside others", bits, "synapse.weight_bits", change
                )


def _input(judge: Judge, graph: Graph) -> None:
    """What enters such a core spikes; numbers would need another kernel for each of their bits."""
    graded = judge.chip.flag("spikes.graded")
    for node in graph.select(Frames):
        if len(node.type.planes) < 2:
            continue
        if graded is None:
            judge.unknown(node.name, "numbers that enter", "spikes.graded")
        elif not graded:
            low, high = node.type.domain or (0, 0)
            change = "frames of bits, as snncc frames --values bits makes them"
            what, limit = f"numbers {low}..{high}", "spikes"
            judge.broken(node.name, "what enters", what, limit, change, "spikes.graded")


def power(number: int) -> int:
    """The least power of two that is not below a number."""
    return 1 << max(0, number - 1).bit_length()


def _job(judge: Judge, graph: Graph, node: Node) -> Job | None:
    op = node.op
    if isinstance(op, Convolve):
        return _convolution(judge, graph, node, op)
    if not isinstance(op, Contract):
        return None
    weight = graph.constants[op.weight.name]
    apart = (*op.shared, *op.summed)
    if apart:
        where = ", ".join(apart)
        change = "weights that are the same at every place, and no sum over places"
        judge.broken(
            node.name, "weights by place", where, "one kernel a layer", change, "layer.kernel"
        )
        return None
    carried = [name for name in node.type.names if name not in (*op.out, TIME)]
    if carried and len(op.into) != 1:
        limit = "channels of a convolution"
        change = "a convolution with a kernel of 1, or a dense layer over all axes"
        judge.broken(
            node.name, "a map along axes", ", ".join(op.into), limit, change, "layer.kernel"
        )
        return None
    outputs, inputs = weight.shape[0], weight.size // max(1, weight.shape[0])
    return Job(node.name, inputs * power(outputs), node.type.neurons)


def _convolution(judge: Judge, graph: Graph, node: Node, op: Convolve) -> Job:
    weight = graph.constants[op.weight.name]
    outputs, inputs, high, wide = weight.shape[-4:]
    chip = judge.chip
    if high != wide:
        change = f"a kernel of {max(high, wide)} by {max(high, wide)}, with zeros"
        judge.broken(
            node.name, "kernel", f"{high} by {wide}", "a square one", change, "layer.kernel"
        )
    judge.at_most(node.name, "kernel", max(high, wide), "layer.kernel", "a smaller kernel")
    known = chip.wholes("layer.strides")
    if not known:
        judge.unknown(node.name, "stride", "layer.strides")
    for stride in sorted(set(op.stride) - set(known)) if known else ():
        limit = ", ".join(map(str, known))
        change = f"a stride of {min(known, key=lambda k: abs(k - stride))}"
        judge.broken(node.name, "stride", stride, limit, change, "layer.strides")
    if op.dilation != (1, 1):
        judge.broken(node.name, "dilation", max(op.dilation), 1, "no dilation", "layer.kernel")
    rows, columns = node.type.size(op.out_height), node.type.size(op.out_width)
    kernel = inputs * power(high) * power(wide) * power(outputs)
    return Job(node.name, kernel, outputs * power(rows) * power(columns))


def _destinations(judge: Judge, graph: Graph) -> None:
    for node in graph.nodes:
        maps = [each for each in graph.readers.get(node.name, ()) if _is_map(each)]
        if len(maps) > 1:
            change = "a copy of the layer, for the readers beyond"
            judge.at_most(node.name, "destinations", len(maps), "layer.destinations", change)


def _is_map(node: Node) -> bool:
    return isinstance(node.op, Contract | Convolve)


def _shared_currents(judge: Judge, graph: Graph) -> None:
    for node in graph.nodes:
        if not isinstance(node.op, Sum) or len(node.inputs) < 2:
            continue
        shared = [name for name in node.inputs if len(graph.readers.get(name, ())) > 1]
        if shared:
            change = "compute it once for each reader (--profile loihi-lava does)"
            what, limit = ", ".join(shared), "one reader a current"
            judge.broken(
                node.name, "currents with several readers", what, limit, change, "chip.cores"
            )


def _cores(judge: Judge, jobs: Sequence[Job]) -> None:
    chip = judge.chip
    kernels, neurons = chip.wholes("core.kernel_words"), chip.wholes("core.neuron_words")
    if not kernels or not neurons:
        judge.unknown(PROGRAM, "memory of cores", "core.kernel_words")
        return
    judge.lean("core.kernel_words", "core.neuron_words")
    for job in jobs:
        if not _homes(job, chip):
            needed, limit = f"{job.kernel:,} and {job.neurons:,}", "no core has both"
            judge.broken(
                job.name,
                "kernel and neuron words",
                needed,
                limit,
                "fewer channels",
                "core.kernel_words",
            )
    seated = matching(jobs, chip)
    judge.cores = len(jobs)
    if len(seated) < len(jobs):
        left = [job.name for job in jobs if job.name not in seated]
        chips = -(-len(jobs) // len(kernels))
        change = f"{chips} chips at least, or fewer layers; without a core: {', '.join(left[:6])}"
        judge.broken(PROGRAM, "cores for layers", len(jobs), len(seated), change, "chip.cores")


def _homes(job: Job, chip: Chip) -> list[int]:
    kernels, neurons = chip.wholes("core.kernel_words"), chip.wholes("core.neuron_words")
    pairs = enumerate(zip(kernels, neurons, strict=True))
    return [core for core, (k, n) in pairs if job.kernel <= k and job.neurons <= n]


def matching(jobs: Sequence[Job], chip: Chip) -> Mapping[str, int]:
    """The most layers that can have a core at once, by augmenting paths."""
    homes = {job.name: _homes(job, chip) for job in jobs}
    owner: dict[int, str] = {}

    def seat(name: str, tried: set[int]) -> bool:
        for core in homes[name]:
            if core in tried:
                continue
            tried.add(core)
            if core not in owner or seat(owner[core], tried):
                owner[core] = name
                return True
        return False

    for job in jobs:
        seat(job.name, set())
    return {name: core for core, name in owner.items()}
