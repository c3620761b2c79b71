"""Delay balancing and the bundle's processes, without Lava: on a stand-in for it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from generators.inputs import images as images_of
from lava_networks import (
    STEPS,
    odd_names,
    one_number,
    population,
    three_paths,
    varied_images,
    weights,
)
from lava_runs import differences, export, networks, recorded
from lava_stand_in import stand_in
from random_programs import IMAGE, program_images, random_program
from test_counts import of_counts

from snncc.artifact import Program
from snncc.backends.lava_nc import balance_delays, build_processes, schedule_table, write_bundle
from snncc.backends.lava_nc.bundle_files import bundle_files, place_files
from snncc.backends.lava_nc.process_network import ProcessNetwork
from snncc.diagnostics import SnnccError
from snncc.ir import Graph, GraphBuilder, Op, TypeRuleError
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames
from snncc.passes.distribute_counts import distribute_counts


def run_on_stand_in(
    graph: Graph, images: np.ndarray, folder: Path, period: int | None = None
) -> list[str]:
    with stand_in(folder) as network, network(images, record=True, period=period) as net:
        net.run()
    return differences(graph, images, recorded(graph, net))


def with_relay(network: ProcessNetwork, name: str, delay: int) -> ProcessNetwork:
    processes = tuple(
        replace(p, arguments={**p.arguments, "delay": str(delay)}) if p.name == name else p
        for p in network.processes
    )
    return replace(network, processes=processes)


def test_each_value_leaves_when_the_last_of_its_inputs_is_there() -> None:
    schedule = balance_delays(three_paths())
    names = ("image", "h", "first", "tok", "h+tok", "second", "ch", "all", "third", "head")
    assert [schedule.arrival[n] for n in names] == [0, 1, 1, 2, 2, 2, 3, 3, 3, 4]
    assert [(r.source, r.delay, r.before) for r in schedule.relays] == [
        ("h", 1, 0),
        ("h", 2, 1),
        ("tok", 1, 0),
    ]
    assert schedule.depth == schedule.arrival["readout"] == 4
    assert schedule.wait("h", "all") == 2
    assert schedule.wait("h", "first") == schedule.wait("second", "ch") == 0


def test_what_the_host_computes_takes_no_step() -> None:
    schedule = balance_delays(three_paths("host"))
    assert schedule.arrival["h"] == 0
    assert schedule.depth == 3


def test_the_table_says_when_and_what_waits() -> None:
    graph = three_paths()
    rows = schedule_table(graph, balance_delays(graph))
    assert ("1..3", "h", "+1 +2") in rows
    assert ("3..5", "third", "") in rows
    assert rows[-1] == ("4..6", "readout", "")


@pytest.mark.parametrize("encoding", ["bit-planes", "host"])
@pytest.mark.parametrize("period", [None, STEPS + 1, 11])
def test_samples_follow_each_other(tmp_path: Path, encoding: str, period: int | None) -> None:
    graph, images = three_paths(encoding), varied_images(6)
    assert run_on_stand_in(graph, images, export(graph, tmp_path / "b"), period) == []


def test_sums_of_spikes_are_several_projections(tmp_path: Path) -> None:
    """A wire carries one bit: a map of a count is a map of each of the spikes, with one tensor."""
    graph = of_counts(3, 5, STEPS)
    given = images_of(graph, 0, 4)
    assert run_on_stand_in(graph, given, export(graph, tmp_path / "b")) == []
    own, apart = (len(write_bundle(Program(each, {}), tmp_path / name).tensors) for name, each in
                  (("own", graph), ("apart", distribute_counts(graph))))  # fmt: skip
    assert own == apart


def test_a_period_shorter_than_a_sample_is_refused(tmp_path: Path) -> None:
    graph = three_paths()
    with (
        stand_in(export(graph, tmp_path / "b")) as network,
        pytest.raises(ValueError, match="takes 3 steps, the period is 2"),
    ):
        network(varied_images(1), period=2)


@pytest.mark.parametrize("change", [-1, 1, 2])
@pytest.mark.parametrize("relay", ["h late 1", "h late 2", "tok late 1"])
def test_a_wrong_delay_gives_wrong_spikes(tmp_path: Path, relay: str, change: int) -> None:
    graph, images = three_paths(), varied_images(6)
    right = build_processes(graph)
    before = next(int(p.arguments["delay"]) for p in right.processes if p.name == relay)
    place_files(tmp_path / "right", bundle_files(right, "0" * 64))
    assert run_on_stand_in(graph, images, tmp_path / "right") == []
    if before + change < 1:
        wrong = without_relay(right, relay)
    else:
        wrong = with_relay(right, relay, before + change)
    place_files(tmp_path / "wrong", bundle_files(wrong, "0" * 64))
    assert run_on_stand_in(graph, images, tmp_path / "wrong") != []


def without_relay(network: ProcessNetwork, name: str) -> ProcessNetwork:
    source = next(c.source for c in network.connections if c.reader == name)
    connections = tuple(
        replace(c, source=source if c.source == name else c.source)
        for c in network.connections
        if c.reader != name
    )
    processes = tuple(p for p in network.processes if p.name != name)
    return replace(network, connections=connections, processes=processes)


def test_a_population_that_listens_too_late_gives_wrong_spikes(tmp_path: Path) -> None:
    graph, images = three_paths(), varied_images(6)
    network = build_processes(graph)
    late = tuple(
        replace(p, arguments={**p.arguments, "arrival": "3"}) if p.name == "second" else p
        for p in network.processes
    )
    place_files(tmp_path / "b", bundle_files(replace(network, processes=late), "0" * 64))
    assert run_on_stand_in(graph, images, tmp_path / "b") != []


def test_every_value_that_meets_another_has_its_age() -> None:
    """On random programs: along every connection, what is sent is what the reader listens for."""
    seen = 0
    for _, graph, _ in networks(120):
        network = build_processes(graph)
        schedule, delays = network.schedule, {r.source: [] for r in network.schedule.relays}
        for relay in schedule.relays:
            delays[relay.source].append(relay.delay)
        sent = {p.name: schedule.arrival.get(p.name, 0) for p in network.processes}
        for relay in schedule.relays:
            sent[f"{relay.source} late {relay.delay}"] = (
                schedule.arrival[relay.source] + relay.delay
            )
        for c in network.connections:
            if " part " in c.reader or " part " in c.source or " late " in c.reader:
                continue
            seen += 1
            assert sent[c.source] == schedule.listens[c.reader], (c, graph)
    assert seen > 1000


def test_random_networks_spike_as_the_interpreter_says(tmp_path: Path) -> None:
    for i, (name, graph, images) in enumerate(networks(120)):
        folder = export(graph, tmp_path / str(i))
        assert run_on_stand_in(graph, images, folder) == [], name


def test_random_programs_use_every_process_and_option() -> None:
    built = [build_processes(random_program(n)) for n in range(60)]
    kinds = {p.kind for network in built for p in network.processes}
    assert kinds == {
        *("PixelPlanes", "HostCurrent", "Projection", "Sum", "Gain", "Relay", "Population"),
        "Readout",
    }
    texts = [" ".join(p.arguments.values()) for network in built for p in network.processes]
    arguments = {key for network in built for p in network.processes for key in p.arguments}
    for word in ('"up"', '"zero"', "shared=", "summed=", "dilation=", "groups=", "at={"):
        assert any(word in t for t in texts), word
    for key in ("bias", "polarity", "offset", "compare", "reset", "planes", "mantissa"):
        assert key in arguments, key
    assert any(" part " in p.name for network in built for p in network.processes)
    assert any('"t")' in t for t in texts), "constants by step"


def refused(graph: Graph) -> str:
    with pytest.raises(SnnccError) as caught:
        build_processes(graph)
    assert {finding.code for finding in caught.value.findings} == {"SNN040"}
    return str(caught.value)


def with_ops(graph: Graph, ops: Mapping[str, Op]) -> Graph:
    """A graph with other ops under the same types, as no builder and no file gives it."""
    nodes = tuple(replace(n, op=ops[n.name]) if n.name in ops else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


def test_what_looks_at_several_steps_is_refused_all_at_once() -> None:
    """The type rule refuses it before; a backend that is handed it all the same says so too."""
    b = GraphBuilder("integer", STEPS, "exact")
    image = b.add(Frames(("p",), (4,)), (), (), "image")
    h = b.add(Contract(weights(b, 1, "c", "p"), ("p",), ("c",)), (image,), (), "h")
    s = population(b, h, "s")
    over = Contract(weights(b, 2, "k", "c"), ("c",), ("k",))
    y = Contract(weights(b, 3, "k", "c"), ("c",), ("k",))
    parts = [b.add(over, (s,), (), "over"), b.add(y, (s,), (), "y")]
    both = b.add(Concat(("k", "k"), "kk"), parts, (), "pair")
    graph = b.finish(b.add(IntegerReadout(), (both,), (), "readout"))
    wrong = {"over": replace(over, summed=("t",)), "pair": Concat(("t", "t"), "tt")}
    with pytest.raises(TypeRuleError, match="the time axis"):
        b.add(wrong["over"], (s,), (), "again")
    text = refused(with_ops(graph, wrong))
    assert "over has no Lava process" in text
    assert "pair has no Lava process" in text
    assert "one step at a time" in text
    assert "y has no" not in text


def test_an_unknown_profile_is_refused() -> None:
    assert "profile" in refused(replace(three_paths(), profile="other"))


def test_equal_programs_give_equal_bytes(tmp_path: Path) -> None:
    graph = random_program(3)
    for name in ("a", "b"):
        write_bundle(Program(graph, {"any": "thing"}), tmp_path / name)
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "b").iterdir())
    assert "manifest.json" in names
    assert all(
        (tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names
    )


def test_images_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    graph = random_program(3)
    with (
        stand_in(export(graph, tmp_path / "b")) as network,
        pytest.raises(ValueError, match=r"uint8 \[n, 2, 3, 4\], not int64 \[1, 2, 3, 4\]"),
    ):
        network(np.zeros((1, *IMAGE), np.int64))


def test_no_images_give_no_answers(tmp_path: Path) -> None:
    graph = random_program(4)
    assert run_on_stand_in(graph, program_images(4, 0), export(graph, tmp_path / "b")) == []


def test_any_name_of_a_module_will_do(tmp_path: Path) -> None:
    folder = export(odd_names(), tmp_path / "b")
    assert run_on_stand_in(odd_names(), varied_images(3), folder) == []


@pytest.mark.parametrize("encoding", ["bit-planes", "host"])
def test_a_value_may_be_one_number(tmp_path: Path, encoding: str) -> None:
    graph = one_number(encoding)
    assert run_on_stand_in(graph, varied_images(5), export(graph, tmp_path / "b")) == []


def test_a_convolution_along_time_is_refused() -> None:
    b = GraphBuilder("integer", STEPS, "exact")
    image = b.add(Frames(("p", "w", "x"), (4, 4, 4)), (), (), "image")
    h = b.add(Contract(weights(b, 1, "c", "p"), ("p",), ("c",)), (image,), (), "h")
    s = population(b, h, "s")
    kernel = b.constant("k", np.ones((2, 4, 1, 1), np.int64), ("o", "i", "kh", "kw"))
    plain = Convolve(kernel, "c", "w", "x", "k", "a", "b")
    over_time = replace(plain, height="t")
    with pytest.raises(TypeRuleError, match="the time axis"):
        b.add(over_time, (s,), (), "again")
    y = b.add(plain, (s,), (), "y")
    graph = b.finish(b.add(IntegerReadout(), (y,), (), "out"))
    assert "y has no Lava process" in refused(with_ops(graph, {"y": over_time}))
