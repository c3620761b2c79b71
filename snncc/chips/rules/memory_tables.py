"""Processors whose neurons and synapses are tables in memory: counts and memory, in total."""

from collections.abc import Sequence

from snncc.chips.needs import Needs
from snncc.chips.rules.neurons import fewer_bits
from snncc.chips.verdicts import PROGRAM, Judge


def judge_memory_tables(judge: Judge, needs: Sequence[Needs]) -> None:
    """Compares a program with processors and their memories."""
    chip = judge.chip
    for each in needs:
        limit = chip.whole("synapse.weight_bits")
        change = fewer_bits(0 if limit is None else each.stored_bits - limit, each)
        judge.at_most(each.name, "weight bits", each.stored_bits, "synapse.weight_bits", change)
    _cores(judge, needs)
    _memory(judge, needs)
    if "chip.lookup_tables" in chip.facts:
        _lookup_tables(judge)


def _cores(judge: Judge, needs: Sequence[Needs]) -> None:
    """A processor holds neurons of one layer."""
    chip = judge.chip
    per, there = chip.whole("core.neurons"), chip.whole("chip.cores")
    neurons = sum(each.neurons for each in needs)
    if chip.whole("chip.neurons") is not None:
        judge.at_most(PROGRAM, "neurons", neurons, "chip.neurons", "several chips")
    if per is None and "core.neurons" in chip.facts:
        judge.unknown(PROGRAM, "neurons on a core", "core.neurons")
    if there is None:
        judge.unknown(PROGRAM, "cores", "chip.cores")
    if per is None or there is None:
        return
    judge.lean("core.neurons")
    judge.cores = sum(-(-each.neurons // per) for each in needs)
    change = f"{-(-judge.cores // there)} chips"
    judge.at_most(PROGRAM, "cores", judge.cores, "chip.cores", change)
    entries = [piece for each in needs for piece in range(-(-each.neurons // per))]
    if "chip.router_entries" in chip.facts:
        change = "larger pieces, or several chips"
        judge.at_most(PROGRAM, "router entries", len(entries), "chip.router_entries", change)


def _memory(judge: Judge, needs: Sequence[Needs]) -> None:
    """What weights take at least, each once and packed; more is for the tables to say."""
    chip = judge.chip
    weights = sum(each.shared_weights * each.stored_bits for each in needs)
    state = sum(each.neurons * each.state_bits for each in needs)
    for key, need, what in (
        ("core.weight_memory", weights, "memory of weights, bits at least"),
        ("core.memory", weights + state, "memory, bits at least"),
    ):
        if key not in chip.facts:
            continue
        cores = chip.whole("chip.cores") or 1
        room = (chip.whole(key) or 0) * cores
        change = f"{-(-need // room)} chips" if room else ""
        judge.at_most(PROGRAM, what, need, key, change, times=cores)


def _lookup_tables(judge: Judge) -> None:
    """No figure without a source: what a program takes of an FPGA is for its tools to say."""
    judge.unknown(PROGRAM, "lookup tables", "chip.lookup_tables")
