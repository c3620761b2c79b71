"""What `snncc map --spikes` tells of places, energy and time."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from snncc.cli.output import print_facts, print_table, say

if TYPE_CHECKING:
    from snncc.chips.estimating import Estimate, Range

EVENTS = {
    "synapse": "synaptic events",
    "update": "updates",
    "spike": "spikes",
    "message": "messages",
}


def print_estimate(placed: Mapping[str, Any], estimate: "Estimate") -> None:
    """Traffic of the placement, events and energy by layer, time; every figure with its source."""
    from snncc.chips.estimating import CONVENTION

    images = placed["activity"]["images"]
    hops, before = placed["hops"], placed["hops_in_order"]
    fewer = f", {1 - hops / before:.1%} fewer than with cores in order" if before else ""
    say()
    print_facts(
        [
            ("placed", f"by the spikes of {images:,} images, seed {placed['seed']}"),
            ("messages", f"{placed['messages'] / images:,.1f} an image"),
            ("hops", f"{hops / images:,.1f} an image{fewer}"),
            ("worst link", f"{placed['worst_link'] / images:,.1f} messages an image"),
            ("between chips", f"{placed['between_chips'] / images:,.1f} messages an image"),
        ]
    )
    say()
    rows = [
        (
            row.layer,
            f"{row.events['synapse']:,.1f}" + (_IMAGE if row.image else ""),
            *(f"{row.events[kind]:,.1f}" for kind in EVENTS if kind != "synapse"),
            f"{row.events['hop_horizontal'] + row.events['hop_vertical']:,.1f}",
            _shown(row.picojoules, 1e-6) + (_IMAGE if row.image else ""),
        )
        for row in estimate.layers
    ]
    print_table(rows, ("layer, an image", *EVENTS.values(), "hops", "uJ, estimate"))
    say()
    unknown = estimate.energy_unknown
    energy = f"{_shown(estimate.picojoules, 1e-6)} uJ an image"
    time = estimate.microseconds
    print_facts(
        [
            ("energy", f"cannot be said; what is known: {energy}" if unknown else energy),
            ("time", "cannot be said" if time is None else f"{_shown(time, 1)} us, {_STEPS}"),
            ("steps", f"{estimate.steps}: T and one for each layer on the way"),
        ]
    )
    for key, why in {**unknown, **estimate.time_unknown}.items():
        say(f"unknown: {key}: {why}")
    for key, source in estimate.sources.items():
        say(f"source: {key}: {source}")
    say(f"  = {estimate.label}")
    say(
        f"beside it: {estimate.accumulates * 1e-6:.4g} uJ with an accumulate for each synaptic "
        f"event, {estimate.multiplies * 1e-6:.4g} uJ with all synapses at every step as MACs, "
        "both of what populations send, without the image"
    )
    say(f"  = {CONVENTION}")


_IMAGE = " + image"
"""Behind figures in which synaptic events of an image are missing."""
_STEPS = "one image alone, the busiest core works and the others wait"


def _shown(found: "Range", unit: float) -> str:
    """The usual figure, and the range of sources where there is one."""
    least, usual, most = (each * unit for each in found)
    return f"{usual:.4g}" if least == most else f"{usual:.4g} ({least:.4g} to {most:.4g})"
