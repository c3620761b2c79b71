"""What `snncc run` prints."""

from pathlib import Path
from typing import Any

from snncc.cli.output import print_facts, print_table, say

SHOWN = 12
"""Names of layers in one line; JSON has all."""


def print_run(record: dict[str, Any], output: Path | None) -> None:
    """The facts of a run, then spike rates by population."""
    facts: list[tuple[str, object]] = [("images", f"{record['images']:,}")]
    if "preprocess" in record:
        facts.append(("preprocess", record["preprocess"]))
    if "accuracy" in record:
        facts.append(("accuracy", f"{record['accuracy']:.2%}"))
    if "reference_accuracy" in record:
        facts.append(("original network", f"{record['reference_accuracy']:.2%}"))
    if "agreement" in record:
        facts.append(("agreement", f"{record['agreement']:.2%} of predictions are the original's"))
    each = 1000.0 * record["seconds"] / record["images"]
    facts.append(("spike rate", f"{record['spike_rate']:.2%} of neurons at a step"))
    facts.append(("time", f"{record['seconds']:.2f} s, {each:.2f} ms an image, start included"))
    if "kernels" in record and record["kernels"]["asked"] != "event":
        facts.append(("kernels", _products(record["kernels"])))
    if "cross_check" in record:
        crossed = record["cross_check"]
        same = f"{crossed['images']} images, {crossed['spikes']:,} spikes and as many membranes"
        facts.append(("cross-check", f"{same}: the interpreter's"))
    if output is not None:
        facts.append(("written", output))
    print_facts(facts)
    say()
    rows = [(name, f"{rate:.2%}") for name, rate in record["spike_rates"].items()]
    print_table(rows, ("population", "spike rate"))


def _products(kernels: dict[str, Any]) -> str:
    """A sentence: the execution was free of multiplications, or which layers were not."""
    dense: list[str] = kernels["dense"]
    if not dense:
        why = f": {kernels['reason']}" if "reason" in kernels else ""
        return f"event-driven in every layer{why}"
    shown = dense[:SHOWN] + ["..."] * (len(dense) > SHOWN)
    layers = "layer is a matrix product" if len(dense) == 1 else "layers are matrix products"
    return (
        f"{len(dense)} {layers} of {kernels['library']}, which multiplies: the same bits, but not "
        f"an execution without multiplications ({', '.join(shown)})"
    )
