"""The section on the cores of a chip."""

from functools import partial

from snncc.report.cores import RESOURCES, CoreFacts
from snncc.report.facts import Facts
from snncc.report.page.sections import Picture, Section, Table, percent
from snncc.report.pictures import cores as pictures
from snncc.report.svg import BARE, PAGE, svg_of

NEEDS_MAPPING = "give --mapping FILE, which snncc map -o writes"
TITLE = "Where does it lie on a chip?"
LARGEST_PICTURE = 4096
"""Tiles that are drawn."""
WORDS = {
    "neurons": "neurons",
    "in_axons": "lists",
    "out_axons": "targets",
    "synapse_bits": "synapse bits",
    "thresholds": "thresholds",
    "formats": "formats",
}


def on_cores(facts: Facts) -> Section:
    """The map of cores, how full they are, and the traffic that they were placed by."""
    found = facts.cores
    if found is None:
        return Section("cores", TITLE, missing=NEEDS_MAPPING)
    shares = [core.share for core in found.cores]
    chips = f"{found.chips} of {found.chip}, side by side" if found.chips > 1 else found.chip
    lines = [
        f"{len(found.cores):,} cores of {chips}. The fullest resource of a core is taken to "
        f"{percent(sum(shares) / len(shares))} on average. Where every neuron fires, "
        f"{found.messages:,} messages go in a step.",
        *_traffic(found),
    ]
    tiles = found.columns * found.chips * found.rows
    drawn = (_map(found),) if 0 < tiles <= LARGEST_PICTURE else ()
    rows = tuple(
        (
            str(core.slot),
            ", ".join(core.layers),
            *(f"{value:,}" for value in core.load),
            f"{percent(core.share)} {WORDS.get(core.limit, '')}".strip(),
        )
        for core in found.cores
    )
    header = ("core", "layers", *(WORDS[name] for name in RESOURCES), "fullest")
    return Section("cores", TITLE, tuple(lines), drawn, (Table("All cores", header, rows, 2),))


def _traffic(found: CoreFacts) -> list[str]:
    placed = dict(found.placed)
    if not placed:
        return ["Cores are numbered in the order in which they were opened; --spikes places them."]
    images, before = placed["images"], placed["hops_in_order"]
    fewer = percent(1 - placed["hops"] / before) if before else "-"
    return [
        f"Placed by the spikes of {images:,} images: {placed['messages'] / images:,.1f} messages "
        f"an image over {placed['hops'] / images:,.1f} links, {fewer} fewer than with cores in "
        f"order; {placed['worst_link'] / images:,.1f} over the most loaded link, "
        f"{placed['between_chips'] / images:,.1f} from chip to chip."
    ]


def _map(found: CoreFacts) -> Picture:
    caption = (
        "A square is a tile, a bar one of its cores: as high as its fullest resource. Look for "
        "cores that are nearly empty, which a coarser cut or --prefer cores would save, and for "
        "what lies alone on a second chip."
    )
    height = 0.4 + 3.6 * found.rows / (found.columns * found.chips)
    draw = partial(pictures.cores, found=found, palette=PAGE)
    made = svg_of("cores", draw, max(0.6, min(6.0, height)), top=BARE)
    return Picture(made, f"Cores on {found.chip}", caption)
