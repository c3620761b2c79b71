"""Programs with a right checksum that break one rule of docs/program_rules.md each."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from snncc.artifact import Program
from snncc.artifact.program import to_manifest
from snncc.ir import Axis, Graph, Kind, Node, Op, Param, ValueType
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum

Json = Any
Arrays = dict[str, np.ndarray]
Lie = Callable[[], tuple[Json, Arrays]]
STEPS = 3


def value(kind: Kind, low: int, high: int, **axes: int) -> ValueType:
    return ValueType(kind, tuple(Axis(n, s) for n, s in axes.items()), (low, high))


def current(low: int, high: int, **axes: int) -> ValueType:
    return value(Kind.CURRENT, low, high, **axes)


def spikes(**axes: int) -> ValueType:
    return value(Kind.SPIKE, 0, 1, **axes)


def node(name: str, op: Op, *inputs: str, type: ValueType) -> Node:
    return Node(name, op, inputs, type)


IMAGE = node("image", Frames(("c", "h"), (2, 3)), type=value(Kind.COUNT, 0, 255, c=2, h=3))
FIRST = node(
    "first", Contract(Param("w", ("k", "c")), ("c",), ("k",)), "image",
    type=current(-510, 765, k=2, h=3),
)  # fmt: skip
FIRE = node(
    "fire", IntegerPopulation(Param("th", ("k",)), membrane=(-893, 1214)), "first",
    type=spikes(t=STEPS, k=2, h=3),
)  # fmt: skip
LAST = node(
    "last", Contract(Param("v", ("o", "k")), ("k",), ("o",), (), ("h",)), "fire",
    type=current(-6, 12, t=STEPS, o=2),
)  # fmt: skip
ANSWER = node("answer", IntegerReadout(), "last", type=value(Kind.READOUT, -18, 36, o=2))
CONSTANTS = {
    "w": np.array([[3, -2], [1, 2]], np.int8),
    "th": np.array([100, 900], np.int16),
    "v": np.array([[1, 3], [2, -2]], np.int8),
}


def written(*nodes: Node, steps: int = STEPS, **constants: np.ndarray) -> tuple[Json, Arrays]:
    """A manifest and constants, whatever they hold; the constants are those that are named."""
    graph = Graph("integer", steps, nodes, "answer", {**CONSTANTS, **constants}, "exact")
    manifest = to_manifest(Program(graph, {}))
    text = str(manifest)
    return manifest, {n: a for n, a in graph.constants.items() if f"'@': '{n}'" in text}


def honest() -> tuple[Json, Arrays]:
    return written(IMAGE, FIRST, FIRE, LAST, ANSWER)


def with_op(old: Node, **fields: Any) -> Lie:
    """The honest program with other fields of one op."""
    op = replace(old.op, **fields)
    nodes = (replace(n, op=op) if n is old else n for n in (IMAGE, FIRST, FIRE, LAST, ANSWER))
    return lambda nodes=tuple(nodes): written(*nodes)  # type: ignore[misc]


def changed(change: Callable[[Json], object]) -> Lie:
    """The honest program with another manifest."""

    def make() -> tuple[Json, Arrays]:
        manifest, constants = honest()
        change(manifest)
        return manifest, constants

    return make


def field(number: int, key: str, value: Json) -> Lie:
    return changed(lambda m: m["nodes"][number]["fields"].update({key: value}))


def convolved(**fields: Any) -> Lie:
    """A convolution of two channels by 1x1 kernels, with fields that cannot be."""

    def make() -> tuple[Json, Arrays]:
        image = node(
            "image",
            Frames(("c", "h", "w"), (2, 3, 4)),
            type=value(Kind.COUNT, 0, 255, c=2, h=3, w=4),
        )
        given: dict[str, Any] = dict(
            weight=Param("kernel", ("o", "i", "y", "x")), channel="c", height="h", width="w",
            out_channel="k", out_height="h", out_width="w",
        )  # fmt: skip
        first = node(
            "first",
            Convolve(**{**given, **fields}),
            "image",
            type=current(-510, 765, h=3, w=4, k=2),
        )
        fire = replace(FIRE, type=spikes(t=STEPS, h=3, w=4, k=2))
        op = Contract(Param("v", ("o", "k")), ("k",), ("o",), (), ("h", "w"))
        last = replace(LAST, op=op, type=current(-24, 48, t=STEPS, o=2))
        answer = replace(ANSWER, type=value(Kind.READOUT, -72, 144, o=2))
        kernel = np.array([[3, -2], [1, 2]], np.int8).reshape(2, 2, 1, 1)
        return written(image, first, fire, last, answer, kernel=kernel)

    return make


def summed(shifts: tuple[int, ...], range: tuple[int, int]) -> Lie:
    """The first current added to itself."""

    def make() -> tuple[Json, Arrays]:
        inputs = ("first",) * max(1, len(shifts))
        both = node("both", Sum(shifts), *inputs, type=current(*range, k=2, h=3))
        fire = replace(FIRE, inputs=("both",))
        if range != (0, 0):
            return written(IMAGE, FIRST, both, fire, LAST, ANSWER)
        first = replace(FIRST, type=current(0, 0, k=2, h=3))
        return written(IMAGE, first, both, fire, LAST, ANSWER, w=np.zeros((2, 2), np.int8))

    return make


def scaled(mantissa: int, shift: int, range: tuple[int, int]) -> Lie:
    def make() -> tuple[Json, Arrays]:
        gain = node("gain", Gain(Param("m"), shift), "first", type=current(*range, k=2, h=3))
        fire = replace(FIRE, inputs=("gain",))
        return written(IMAGE, FIRST, gain, fire, LAST, ANSWER, m=np.array(mantissa, np.int64))

    return make


def image_over_time() -> tuple[Json, Arrays]:
    """An axis called t that is not time, with weights that leave 64 bits when they are added."""
    image = node("image", Frames(("t", "c"), (100, 3)), type=value(Kind.COUNT, 0, 255, t=100, c=3))
    op = Contract(Param("w", ("o", "c")), ("c",), ("o",))
    reach = 3 * 255 * 2**51
    first = node("first", op, "image", type=current(0, reach, t=100, o=1))
    answer = node("answer", IntegerReadout(), "first", type=value(Kind.READOUT, 0, reach, o=1))
    return written(image, first, answer, steps=1, w=np.full((1, 3), 2**51, np.int64))


def read_over_time(role: str) -> Lie:
    """A map in which a step reads others."""

    def make() -> tuple[Json, Arrays]:
        into, out, more = {
            "into": (("k", "t"), ("o",), ()),
            "out": (("k", "t"), ("o", "t"), ()),
            "summed": (("k",), ("o",), ("t",)),
        }[role]
        sizes = {"k": 2, "t": STEPS, "o": 2, "h": 3}
        names = (*out, *into)
        weight = np.ones([sizes[n] for n in names], np.int8)
        op = Contract(Param("v", names), into, out, (), ("h", *more))
        high = 18
        axes = {"t": STEPS, "o": 2} if role == "out" else {"o": 2}
        last = replace(LAST, op=op, type=current(0, high, **axes))
        answer = replace(ANSWER, type=value(Kind.READOUT, 0, STEPS * high, o=2))
        return written(IMAGE, FIRST, FIRE, last, answer, v=weight)

    return make


def convolved_over_time() -> tuple[Json, Arrays]:
    op = Convolve(Param("v", ("o", "i", "y", "x")), "k", "t", "h", "o", "t", "h")
    last = replace(LAST, op=op, type=current(0, 2, t=STEPS, h=3, o=2))
    answer = replace(ANSWER, type=value(Kind.READOUT, 0, 2 * STEPS, h=3, o=2))
    return written(IMAGE, FIRST, FIRE, last, answer, v=np.ones((2, 2, 1, 1), np.int8))


def side_by_side_in_time() -> tuple[Json, Arrays]:
    both = node("both", Concat(("t", "t"), "t"), "fire", "fire", type=spikes(t=6, k=2, h=3))
    last = replace(LAST, inputs=("both",), type=current(-6, 12, t=6, o=2))
    return written(IMAGE, FIRST, FIRE, both, last, ANSWER)


def renamed_to_time() -> tuple[Json, Arrays]:
    """The rows of the image become time: T is 3 as well."""
    op = Contract(Param("w", ("k", "t", "c", "h")), ("c", "h"), ("k", "t"))
    first = replace(FIRST, op=op, type=current(-1530, 2295, k=2, t=3))
    fire = replace(FIRE, type=spikes(k=2, t=3))
    op = Contract(Param("v", ("o", "k")), ("k",), ("o",))
    last = replace(LAST, op=op, type=current(-2, 4, o=2, t=3))
    answer = replace(ANSWER, type=value(Kind.READOUT, -6, 12, o=2))
    return written(IMAGE, first, fire, last, answer, w=np.ones((2, 3, 2, 3), np.int8))


def scalar_image() -> tuple[Json, Arrays]:
    """An image without axes: one number."""
    image = replace(IMAGE, op=Frames((), ()), type=value(Kind.COUNT, 0, 255))
    op = Contract(Param("w", ("o",)), (), ("o",))
    first = node("first", op, "image", type=current(0, 510, o=2))
    answer = replace(ANSWER, inputs=("first",), type=value(Kind.READOUT, 0, 1530, o=2))
    return written(image, first, answer, w=np.array([1, 2], np.int8))


def two_readouts() -> tuple[Json, Arrays]:
    other = replace(ANSWER, name="other")
    return written(IMAGE, FIRST, FIRE, LAST, other, ANSWER)


def two_images() -> tuple[Json, Arrays]:
    """The second one is left to the host, and only the first one is looked at."""
    op = replace(IMAGE.op, encoding="host")  # type: ignore[type-var]
    image = replace(IMAGE, name="image2", op=op)
    other = replace(FIRST, name="other", inputs=("image2",))
    both = node("both", Sum(), "first", "other", type=current(-1020, 1530, k=2, h=3))
    fire_op = replace(FIRE.op, membrane=(-2000, 2500))  # type: ignore[type-var]
    fire = replace(FIRE, inputs=("both",), op=fire_op)
    return written(IMAGE, image, FIRST, other, both, fire, LAST, ANSWER)


def unread() -> tuple[Json, Arrays]:
    return written(IMAGE, FIRST, replace(FIRE, name="spare"), FIRE, LAST, ANSWER)


def called(name: str) -> Lie:
    """The first current under another name."""

    def make() -> tuple[Json, Arrays]:
        return written(
            IMAGE, replace(FIRST, name=name), replace(FIRE, inputs=(name,)), LAST, ANSWER
        )

    return make


def axis(name: str) -> Lie:
    """The places of the image under another name, everywhere."""

    def make() -> tuple[Json, Arrays]:
        manifest, constants = honest()

        def other(record: Json) -> Json:
            if isinstance(record, list):
                return [other(each) for each in record]
            if isinstance(record, dict):
                return {key: other(each) for key, each in record.items()}
            return name if record == "h" else record

        manifest["nodes"] = other(manifest["nodes"])
        return manifest, constants

    return make


def two_roles() -> tuple[Json, Arrays]:
    """The axis k is shared and contracted."""
    op = Contract(Param("v", ("k", "o", "k")), ("k",), ("o",), ("k",), ("h",))
    last = replace(LAST, op=op, type=current(-6, 12, t=STEPS, o=2))
    return written(IMAGE, FIRST, FIRE, last, ANSWER, v=np.ones((2, 2, 2), np.int8))


def contracted_twice(role: str) -> Lie:
    def make() -> tuple[Json, Arrays]:
        into, more = (("k", "k"), ("h",)) if role == "into" else (("k",), ("h", "h"))
        op = Contract(Param("v", ("o", *into)), into, ("o",), (), more)
        last = replace(LAST, op=op, type=current(-18, 36, t=STEPS, o=2))
        answer = replace(ANSWER, type=value(Kind.READOUT, -54, 108, o=2))
        weight = np.ones((2,) * (1 + len(into)), np.int8)
        return written(IMAGE, FIRST, FIRE, last, answer, v=weight)

    return make


def wrapping() -> tuple[Json, Arrays]:
    """Weights of 2^62: four of them are 0 in 64 bits."""
    weight = np.array([[2**62, 2**62], [1, 2]], np.int64)
    return written(IMAGE, FIRST, FIRE, LAST, ANSWER, w=weight)


def wrapping_within_62_bits() -> tuple[Json, Arrays]:
    """Each weight is legal; 510 times 2^56 is 0 in 64 bits but for its upper part."""
    op = Contract(Param("w", ("k", "c")), ("c",), ("k",))
    first = replace(FIRST, op=op, type=current(0, 510 * 2**60 % 2**64, k=2, h=3))
    return written(IMAGE, first, FIRE, LAST, ANSWER, w=np.full((2, 2), 2**60, np.int64))


def nested(depth: int, twice: bool) -> Lie:
    """Sums of sums; with `twice` each is of the one before and itself again, of zeros."""

    def make() -> tuple[Json, Arrays]:
        zero = current(0, 0, k=2, h=3)
        nodes = [replace(FIRST, type=zero)]
        for number in range(depth):
            inputs = (nodes[-1].name,) * (2 if twice else 1)
            nodes.append(node(f"s{number}", Sum(), *inputs, type=zero))
        fire = replace(FIRE, inputs=(nodes[-1].name,))
        return written(IMAGE, *nodes, fire, LAST, ANSWER, w=np.zeros((2, 2), np.int8))

    return make


def long_axis(size: int) -> Lie:
    def make() -> tuple[Json, Arrays]:
        op = Frames(("c", "h"), (2, size))
        image = replace(IMAGE, op=op, type=value(Kind.COUNT, 0, 255, c=2, h=size))
        first = replace(FIRST, type=current(-510, 765, k=2, h=size))
        fire = replace(FIRE, type=spikes(t=STEPS, k=2, h=size))
        last = replace(LAST, type=current(-2 * size, 4 * size, t=STEPS, o=2))
        answer = replace(ANSWER, type=value(Kind.READOUT, -6 * size, 12 * size, o=2))
        return written(image, first, fire, last, answer)

    return make


def many_steps(steps: int) -> Lie:
    def make() -> tuple[Json, Arrays]:
        fire = replace(FIRE, type=spikes(t=steps, k=2, h=3))
        last = replace(LAST, type=current(-6, 12, t=steps, o=2))
        answer = replace(ANSWER, type=value(Kind.READOUT, -6 * steps, 12 * steps, o=2))
        return written(IMAGE, FIRST, fire, last, answer, steps=steps)

    return make


def spare_constant() -> tuple[Json, Arrays]:
    manifest, constants = honest()
    return manifest, {**constants, "spare": np.zeros(3, np.int8)}


def deep_origin() -> tuple[Json, Arrays]:
    manifest, constants = honest()
    for _ in range(900):
        manifest["provenance"] = {"a": manifest["provenance"]}
    return manifest, constants


LIES: dict[str, Lie] = {
    # Time.
    "an image over t": image_over_time,
    **{f"t in {role} of a map": read_over_time(role) for role in ("into", "out", "summed")},
    "t among the axes of a convolution": convolved_over_time,
    "steps side by side": side_by_side_in_time,
    "another axis becomes t": renamed_to_time,
    # The whole.
    "an image without axes": scalar_image,
    "two readouts": two_readouts,
    "two images in two ways": two_images,
    "a population that nobody reads": unread,
    "the output is no readout": changed(lambda m: m.update(output="last")),
    "an unknown profile": changed(lambda m: m.update(profile="other")),
    "a constant of no node": spare_constant,
    "schema 1.0": changed(lambda m: m.update(schema=1.0)),
    "steps as a float": changed(lambda m: m.update(steps=3.0)),
    "provenance nested 900 deep": deep_origin,
    "half a surrogate pair": changed(lambda m: m["provenance"].update(x="\ud800")),
    # Names.
    **{
        f"a node called {n!r}": called(n)
        for n in ("cat[0]", "", "a]", "x\n", "\x1b[2J", "\u202e", "n" * 513)
    },
    **{f"an axis called {n!r}": axis(n) for n in ("", "<", "_", "a[0]", "1", "h ", "t")},
    # Maps.
    "an axis with two roles": two_roles,
    "an axis of a map that is no list": changed(lambda m: m["nodes"][1]["fields"].update(out="k")),
    "an axis contracted twice": contracted_twice("into"),
    "an axis summed twice": contracted_twice("summed"),
    "weights that wrap": wrapping,
    "legal weights that wrap": wrapping_within_62_bits,
    # Convolutions.
    "stride 0": convolved(stride=(0, 1)),
    "stride -1": convolved(stride=(1, -1)),
    "dilation 0": convolved(dilation=(0, 1)),
    "dilation -1": convolved(dilation=(1, -1)),
    "padding -1": convolved(padding=(-1, 0)),
    "padding 2^20": convolved(padding=(2**20, 0)),
    "padding 4097": convolved(padding=(4097, 0), stride=(4096, 1)),
    "groups 0": convolved(groups=0),
    "groups 2": convolved(groups=2),
    "groups -1": convolved(groups=-1),
    "height is the channel": convolved(height="c"),
    "a kernel over t": convolved(weight=Param("kernel", ("o", "t", "y", "x"))),
    # Sums and gains.
    "shift 2^70": summed((2**70,), (-510, 765)),
    "shift 10^10": summed((10**10,), (-510, 765)),
    "shift 62 of zeros": summed((62,), (0, 0)),
    "shift -1": summed((-1,), (-510, 765)),
    "a gain's shift of 2^40": scaled(1, 2**40, (0, 0)),
    "a gain's shift of 61": scaled(1, 61, (0, 0)),
    "a gain's shift of -1": scaled(1, -1, (-510, 765)),
    "a gain of 62 bits": scaled(2**52, 20, (-510 << 32, 765 << 32)),
    # Neurons.
    "decay [1, 10^10]": with_op(FIRE, decay=(1, 10**10)),
    "decay shift 2^62": with_op(FIRE, decay=(1, 2**62)),
    "decay shift 62": with_op(FIRE, decay=(1, 62)),
    "decay above 1": with_op(FIRE, decay=(3, 1)),
    "decay shift -1": with_op(FIRE, decay=(1, -1)),
    "a decay's offset of a whole step": with_op(FIRE, decay_offset=2),
    "a membrane of 63 bits": with_op(FIRE, membrane=(-(2**62), 2**62)),
    "a membrane too narrow": with_op(FIRE, membrane=(-893, 1213)),
    "a membrane from 1": with_op(FIRE, membrane=(1, 1214)),
    # Readouts.
    "unit 0": with_op(ANSWER, unit=0.0),
    "unit -1": with_op(ANSWER, unit=-1.0),
    "unit 1e308": with_op(ANSWER, unit=1e308),
    "unit just beyond 2^900": with_op(ANSWER, unit=2.0**900 * (1 + 2**-52)),
    "unit as an integer": field(4, "unit", 2),
    # Written otherwise.
    "a default written out": field(2, "reset", "hard"),
    "an axis of length 3.9": changed(
        lambda m: m["nodes"][0]["type"]["axes"][1].__setitem__(1, 3.9)
    ),
    "a range as text": changed(lambda m: m["nodes"][1]["type"].update(range=["-510", "765"])),
    "a range with 3 ends": changed(lambda m: m["nodes"][1]["type"]["range"].append(9)),
    "true for 1": field(2, "decay", [True, True]),
    "an extra key of a node": changed(lambda m: m["nodes"][1].update(extra=1)),
    "an extra key of a type": changed(lambda m: m["nodes"][1]["type"].update(extra=1)),
    "an extra key of a constant": changed(
        lambda m: m["nodes"][1]["fields"]["weight"].update(extra=1)
    ),
    "an extra field": field(1, "extra", 1),
    "a place with six parts": changed(
        lambda m: m["nodes"][1]["locs"].append(["a", "b", 1, "c", "d", "e"])
    ),
    "a place with a line in words": changed(
        lambda m: m["nodes"][1]["locs"].append(["a", "b", "1", "c", "d"])
    ),
    # Sizes.
    "10^6 steps": many_steps(10**6),
    "4097 steps": many_steps(4097),
    "no place at all": long_axis(0),
    "an axis of 2^31": long_axis(2**31),
    "an axis of 2^26": long_axis(2**26),
    "900 nested sums": nested(900, False),
    "257 nested sums": nested(257, False),
    "60 doubled sums": nested(60, True),
}
LIMITS = frozenset(
    {
        *("padding 2^20", "padding 4097", "10^6 steps", "4097 steps", "an axis of 2^31"),
        *("an axis of 2^26", "900 nested sums", "257 nested sums", "60 doubled sums"),
    }
)
