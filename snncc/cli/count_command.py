"""`snncc count`."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncc.cli.command import Command, say_limit
from snncc.cli.given_frames import given_images
from snncc.cli.output import print_facts, print_json, print_table, say
from snncc.cli.path_types import DataPath, ProgramPath
from snncc.cli.progress import progress

if TYPE_CHECKING:
    from snncc.runtime.counts.operation_counts import OperationCounts

OPERATIONS = ("dense", "events", "accumulates", "effective_acs", "effective_macs")


@click.command("count", cls=Command)
@click.argument("program", type=ProgramPath())
@click.argument("data", type=DataPath(), metavar="DATA.npz[:KEY]")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N images.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(program: Path, data: str, limit: int | None, as_json: bool) -> None:
    """Count synaptic operations, spikes and neuron updates on given data.

    Figures are exact, means over the images, by NeuroBench's definitions; what each one means is
    in docs/operation_counts.md. Energy is an estimate and labelled so.
    """
    from snncc.artifact import load_program
    from snncc.runtime.counts.synaptic_operations import count_operations

    loaded = load_program(program)
    graph, images = loaded.graph, given_images(loaded, data)
    say_limit(limit, len(images))
    images = images[:limit]
    with progress("counting", quiet=as_json) as advance:
        counts = count_operations(graph, images, lambda done: advance(done, len(images)))
    if as_json:
        print_json(_record(counts))
    else:
        _print(counts)


def _record(counts: "OperationCounts") -> dict[str, Any]:
    """Sums over all images are integers; what is named `per_image` or a share is a float."""
    from snncc.runtime.counts.operation_counts import estimate_energy

    totals = {name: counts.total(name) for name in ("synapses", *OPERATIONS)}
    totals |= {
        name: counts.neurons_total(name)
        for name in ("neurons", "spikes", "updates", "membrane_updates")
    }
    totals["gain_adds"] = counts.gain_adds
    totals["product_adds"] = counts.product_adds
    return {
        "schema": 1,
        "images": counts.images,
        "steps": counts.steps,
        "totals": totals,
        "neurobench": {
            "synaptic_operations": {
                "Effective_MACs": sum(p.effective_macs for p in counts.projections if p.by_host)
                / counts.images,
                "Effective_ACs": counts.total("effective_acs") / counts.images,
                "Dense": counts.total("dense") / counts.images,
            },
            "activation_sparsity": counts.activation_sparsity,
            "membrane_updates": counts.neurons_total("membrane_updates") / counts.images,
            "connection_sparsity": counts.connection_sparsity,
            "footprint": counts.footprint,
        },
        "energy": [asdict(estimate) for estimate in estimate_energy(counts)],
        "projections": [asdict(p) for p in counts.projections],
        "populations": [asdict(p) | {"rate": p.rate} for p in counts.populations],
    }


def _multiplied(counts: "OperationCounts", mean: Callable[[int], str]) -> str:
    """What is said of multiplications: the host's count, though they are outside the program."""
    host = sum(p.effective_macs for p in counts.projections if p.by_host)
    by_host = any(p.by_host for p in counts.projections)
    return (
        f"and {mean(host)} multiply-accumulates by the host"
        if by_host
        else ("no multiply-accumulate")
    )


def _print(counts: "OperationCounts") -> None:
    from snncc.runtime.counts.operation_counts import estimate_energy

    images = counts.images

    def mean(number: int) -> str:
        return f"{number / images:,.1f}"

    every, spikes = counts.total("effective_acs"), counts.total("effective_acs", "spike")
    read = sorted({p.source for p in counts.projections if p.source != "spike"}) or ["pixel"]
    say(f"means over {images:,} images of {counts.steps} steps")
    print_facts(
        [
            ("dense", f"{mean(counts.total('dense'))} synaptic operations an image"),
            ("effective", f"{mean(every)} accumulates, {_multiplied(counts, mean)}"),
            (
                "  of " + " and ".join(f"{word}s" for word in read),
                f"{mean(every - spikes)}, one for each set bit; "
                f"{mean(counts.total('effective_macs'))} with a multiplier",
            ),
            ("  of spikes", mean(spikes)),
            ("gains", f"{mean(counts.gain_adds)} additions, not synaptic"),
            *(
                [("products", f"at most {mean(counts.product_adds)} additions, not synaptic")]
                if counts.product_adds
                else []
            ),
            ("neurons", f"{counts.neurons_total('neurons'):,}"),
            (
                "  updates",
                f"{mean(counts.neurons_total('updates'))}, each at each step; "
                f"{mean(counts.neurons_total('membrane_updates'))} change the membrane",
            ),
            (
                "spikes",
                f"{mean(counts.neurons_total('spikes'))}; activation sparsity "
                f"{counts.activation_sparsity:.2%}",
            ),
            (
                "weights",
                f"{counts.connection_sparsity:.2%} are 0; constants take "
                f"{counts.footprint:,} bytes",
            ),
        ]
    )
    say()
    layers: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(OPERATIONS))
    for p in counts.projections:
        row = layers[p.module_path or p.name]
        for place, name in enumerate(OPERATIONS):
            row[place] += getattr(p, name)
    total = [counts.total(name) for name in OPERATIONS]
    rows = [(name, *map(mean, row)) for name, row in [*layers.items(), ("total", total)]]
    print_table(rows, ("projection, an image", *(n.replace("_", " ") for n in OPERATIONS)))
    say()
    print_table(
        [
            (
                p.name,
                f"{p.neurons:,}",
                mean(p.spikes),
                f"{p.rate:.2%}",
                mean(p.updates),
                mean(p.membrane_updates),
            )
            for p in counts.populations
        ],
        ("population, an image", "neurons", "spikes", "rate", "updates", "membrane updates"),
    )
    say()
    for estimate in estimate_energy(counts):
        say(
            f"energy, {estimate.arithmetic}: {estimate.program:.4g} uJ an image "
            f"({estimate.ac_pj} pJ an accumulate); pixels as MACs at {estimate.mac_pj} pJ: "
            f"{estimate.first_layer_as_macs:.4g} uJ; all dense MACs: {estimate.dense_macs:.4g} uJ"
        )
    say(f"  = {estimate_energy(counts)[0].label}")
