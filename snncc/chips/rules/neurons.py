"""What every chip must have for the neurons of a program: widths, leak, reset, delays."""

import numpy as np

from snncc.chips.needs import Needs, signed_bits
from snncc.chips.verdicts import Judge
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding


def judge_neurons(judge: Judge, needs: Needs) -> None:
    """Compares one layer's neurons with the chip."""
    name, chip = needs.name, judge.chip
    limit = chip.whole("neuron.state_bits")
    over = 0 if limit is None else max(0, needs.state_bits - limit)
    change = fewer_bits(over, needs)
    judge.at_most(name, "membrane bits, proved", needs.state_bits, "neuron.state_bits", change)
    if not chip.flag("chip.in_turn"):
        change = f"relay neurons on the way, {needs.delay} a source that skips layers"
        judge.at_most(name, "delay steps", needs.delay, "neuron.delay_steps", change)
    if needs.rule is None:
        return
    _threshold(judge, needs, needs.rule)
    _bias(judge, needs)
    if needs.by_step:
        _by_step(judge, needs)
    leak = leak_of(needs.rule)
    if leak != "forgets":
        _lasting(judge, needs, needs.rule, leak)


def fewer_bits(over: int, needs: Needs) -> str:
    """What fewer bits of weights change; no number where weights have no more than are too many."""
    if not 0 < over <= needs.stored_bits - 2:
        return "narrower layers; no number of weight bits is sure to do"
    bits = "1 bit" if over == 1 else f"{over} bits"
    return f"weights of {bits} fewer (--layer-bits), then compile again to know"


def leak_of(rule: IntegerPopulation) -> str:
    """What a leak is, in the words of descriptions; others for leaks that no description has."""
    factor, shift = rule.decay
    if factor == 0 and rule.decay_offset == 0:
        return "forgets"
    if factor == 1 << shift:
        return "none"
    if factor == (1 << shift) - 1 and rule.rounding is Rounding.UP and rule.decay_offset == 0:
        return "shift"  # v - (v >> k)
    down = rule.rounding is Rounding.DOWN and rule.membrane[0] >= 0
    if (rule.rounding is Rounding.TO_ZERO or down) and rule.decay_offset == 0:
        return "multiply-toward-zero"
    return f"multiply, rounded {rule.rounding.value}"


def _threshold(judge: Judge, needs: Needs, rule: IntegerPopulation) -> None:
    name, chip = needs.name, judge.chip
    limit = chip.whole("neuron.threshold_bits")
    over = 0 if limit is None else max(0, needs.threshold_bits - limit)
    judge.at_most(
        name,
        "threshold bits",
        needs.threshold_bits,
        "neuron.threshold_bits",
        f"a unit of the membrane {over} bits coarser",
    )
    step = chip.whole("neuron.threshold_step")
    if step is None or step == 1:
        return
    zeros = needs.threshold_zeros
    on_grid = rule.compare == "gt" and (zeros is None or (1 << zeros) % step == 0)
    if not on_grid:
        what = "any" if rule.compare == "ge" else f"multiples of {1 << (zeros or 0)}"
        change = "compile with --profile loihi-lava, whose thresholds are of that kind"
        limit_text = f"fires above multiples of {step}"
        judge.broken(name, "threshold", what, limit_text, change, "neuron.threshold_step")
    else:
        judge.lean("neuron.threshold_step")


def _bias(judge: Judge, needs: Needs) -> None:
    if needs.bias is None or not needs.bias.any():
        return
    exponents = judge.chip.wholes("neuron.bias_exponents") or (0, 0)
    value = needs.bias
    lowest = np.where(value == 0, 0, value & -value)
    zeros = np.where(lowest == 0, exponents[1], np.log2(np.maximum(1, lowest)).astype(np.int64))
    mantissa = value >> np.minimum(zeros, exponents[1])
    need = signed_bits(int(mantissa.min()), int(mantissa.max()))
    judge.at_most(
        needs.name,
        "bias bits",
        need,
        "neuron.bias_bits",
        "the nearest mantissa << exponent: --profile loihi-lava stores biases so",
    )


def _by_step(judge: Judge, needs: Needs) -> None:
    allowed, which = judge.chip.flag("neuron.by_step"), ", ".join(needs.by_step)
    if allowed is None:
        judge.unknown(needs.name, "constants that differ from step to step", "neuron.by_step")
    elif not allowed:
        change = "train without scales of their own for steps (TEBN)"
        limit = "the same at every step"
        judge.broken(needs.name, "constants by step", which, limit, change, "neuron.by_step")


def _lasting(judge: Judge, needs: Needs, rule: IntegerPopulation, leak: str) -> None:
    """What only neurons with a memory have: a membrane that lasts, its leak, its reset."""
    name, chip = needs.name, judge.chip
    temporal = chip.flag("neuron.temporal")
    if temporal is None:
        judge.unknown(name, "a membrane that lasts", "neuron.temporal")
    elif not temporal:
        change = "none: a network whose neurons forget at every step"
        judge.broken(name, "neurons", "a membrane that lasts", "none", change, "neuron.temporal")
        return
    judge.lean("neuron.temporal")
    change = "train without a leak (IF neurons), or compile with --profile loihi-lava"
    if leak == "none" or "multiply-toward-zero" not in chip.words("neuron.leaks"):
        change = "train with the leak that there is"
    judge.one_of(name, "leak", leak, "neuron.leaks", change)
    if leak == "multiply-toward-zero":
        factor, shift = rule.decay
        low = (factor & -factor).bit_length() - 1
        judge_bits = max(0, shift - low)
        if chip.whole("neuron.decay_bits") is not None:
            judge.at_most(
                name, "bits of the leak", judge_bits, "neuron.decay_bits", "a nearer decay"
            )
    judge.one_of(name, "reset", rule.reset, "neuron.resets", "train with that reset")
