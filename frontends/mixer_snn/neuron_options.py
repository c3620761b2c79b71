"""What a user says about the neurons of a Mixer-SNN; read without torch."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from snncc.diagnostics import SnnccError


@dataclass(frozen=True)
class NeuronOptions:
    """What a checkpoint does not say about its neurons; the defaults are the public code's.

    Attributes:
        tau: membrane time constant, in steps; not used where tau was learned.
        v_threshold: the neuron fires when V reaches it.
        v_reset: V after a spike, and at the start; None to subtract the threshold instead.
        decay_input: whether the input decays as the membrane does.
        compare: "ge" to fire at V >= v_threshold, "gt" at V > v_threshold.
    """

    tau: float = 2.0
    v_threshold: float = 1.0
    v_reset: float | None = 0.0
    decay_input: bool = True
    compare: str = "ge"

    def __str__(self) -> str:
        reset = "soft reset" if self.v_reset is None else f"hard reset to {self.v_reset:g}"
        sign = {"ge": ">=", "gt": ">"}[self.compare]
        text = f"tau {self.tau:g}, V {sign} {self.v_threshold:g}, {reset}"
        return text if self.decay_input else f"{text}, input does not decay"


def neuron_options(given: Mapping[str, str] | None) -> NeuronOptions | None:
    """Options from text, as the command line has them; None for none.

    Raises:
        SnnccError: SNN001 for a name that is unknown, or a value that makes no neuron.
    """
    if not given:
        return None
    known = {f.name for f in fields(NeuronOptions)}
    unknown = sorted(set(given) - known)
    if unknown:
        each = ", ".join(f"{name}={ALLOWED[name]}" for name in sorted(known))
        close = "".join(f"perhaps {n}; " for n in get_close_matches(unknown[0], known, 1))
        raise SnnccError(
            "SNN001", f"neurons have no {unknown[0]!r}", help=f"{close}there are {each}"
        )
    values: dict[str, Any] = {}
    for name, text in given.items():
        try:
            values[name] = _PARSERS[name](text)
        except (ValueError, KeyError) as error:
            raise SnnccError(
                "SNN001", f"--neuron {name}={text}: that is no {name}", help=f"give {ALLOWED[name]}"
            ) from error
    options = NeuronOptions(**values)
    rest = options.v_reset or 0.0
    for name, value in (
        ("tau", options.tau),
        ("v_threshold", options.v_threshold),
        ("v_reset", rest),
    ):
        if not math.isfinite(value):
            raise SnnccError(
                "SNN001",
                f"--neuron {name}={value:g} is no finite number",
                why="a membrane that never leaks, fires or rests is no neuron of this network",
                help=f"give {ALLOWED[name]}",
            )
    if options.tau < 1.0:
        raise SnnccError(
            "SNN001",
            f"--neuron tau={options.tau:g} is below 1",
            why="the membrane would oscillate",
            help=f"give {ALLOWED['tau']}",
        )
    if not options.v_threshold > rest:
        raise SnnccError(
            "SNN001",
            f"the threshold {options.v_threshold:g} is not above the reset {rest:g}",
            why="such neurons fire without input at every step",
            help="give --neuron v_threshold=... above v_reset",
        )
    return options


ALLOWED: Mapping[str, str] = {
    "tau": "a number from 1",
    "v_threshold": "a number above v_reset",
    "v_reset": "a number, or none for a soft reset",
    "decay_input": "true or false",
    "compare": "ge or gt",
}
_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "tau": float,
    "v_threshold": float,
    "v_reset": lambda text: None if text == "none" else float(text),
    "decay_input": {"true": True, "false": False}.__getitem__,
    "compare": {"ge": "ge", "gt": "gt", ">=": "ge", ">": "gt"}.__getitem__,
}
