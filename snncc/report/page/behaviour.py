"""Sections on what neurons did: rates, rasters, membranes, flips, the first difference."""

from functools import partial

from snncc.report.facts import Facts
from snncc.report.page.sections import Picture, Section, Table, percent
from snncc.report.pictures import layers, ridges, spikes
from snncc.report.svg import BARE, PAGE, of_rows, svg_of

NEEDS_DATA = "needs images: snncc report PROGRAM DATA"
FEW = 200
"""Layers in a picture; more could not be told apart, the table has all."""


def rates(facts: Facts) -> Section:
    """How often every layer fires."""
    title = "How often does every layer fire?"
    if not facts.rates:
        return Section("rates", title, missing=NEEDS_DATA)
    beside, watched = dict(facts.beside), {each.name: each for each in facts.watched}
    compared = (
        f" A diamond is the real-valued network's rate, on {facts.float_images} when it was "
        "compiled: a layer whose bar ends far from it has lost or gained activity by rounding."
        if beside
        else " Compile with --calibrate to have the real-valued network's rates beside them."
    )
    caption = (
        "Look for layers near 0 %, which pass nothing on, and near 100 %, which tell nothing apart."
        f"{compared}"
    )
    shown = facts.rates[:FEW]
    draw = partial(layers.rates, found=shown, beside=beside, palette=PAGE)
    rows = tuple(
        (
            name,
            percent(rate),
            percent(beside[name].rate) if name in beside else "-",
            f"{watched[name].neurons:,}",
            f"{watched[name].silent:,}",
            f"{watched[name].steady:,}",
        )
        for name, rate in facts.rates
    )
    header = ("population", "rate", "float network", "neurons", "never fire", "always fire")
    lines = (
        f"Rates over {facts.images:,} images; neurons that never or always fire, over the first "
        f"{facts.detail:,}.",
    )
    picture = Picture(
        svg_of("rates", draw, of_rows(len(shown))), "Spike rate of every layer", caption
    )
    return Section("rates", title, lines, (picture,), (Table("All layers", header, rows),))


def rasters(facts: Facts) -> Section:
    """Which neurons fire when."""
    title = "Which neurons fire when?"
    if not facts.rasters:
        return Section("raster", title, missing=NEEDS_DATA)
    lines: tuple[str, ...] = ("Other layers: --layer NAME, again for each.",)
    if facts.difference is None:
        lines += ("Spikes that differ from another execution are marked with --beside OTHER.",)
    pictures = tuple(
        Picture(
            svg_of(
                f"raster{number}",
                partial(spikes.raster, found=each, palette=PAGE),
                0.4 + 0.055 * max(12, len(each.neurons)),
                0.7,
            ),
            f"Raster of {each.name}",
            f"{each.name}: {len(each.neurons):,} of {each.of:,} neurons, {each.images:,} images of "
            f"{each.steps} steps each. Look for rows that are empty or full, and for columns in "
            f"which all fire together.{_marked(each.differing)}",
        )
        for number, each in enumerate(facts.rasters)
    )
    return Section("raster", title, lines, pictures)


def _marked(differing: tuple[tuple[int, int], ...] | None) -> str:
    if differing is None:
        return ""
    return f" {len(differing):,} of the places shown differ from the other execution."


def membranes(facts: Facts) -> Section:
    """Membranes against the threshold."""
    title = "Where are membranes when they are compared?"
    if not facts.watched:
        return Section("membranes", title, missing=NEEDS_DATA)
    shown = facts.watched[:FEW]
    draw = partial(ridges.membranes, watched=shown, palette=PAGE)
    caption = (
        "The red line is the threshold: what is right of it fires. A heap at the line means that "
        "little rounding flips many spikes; a heap far to the left means a layer that cannot fire. "
        "The outermost bins hold all that is beyond. Heights are roots of counts, so that rare "
        f"membranes are seen. {facts.detail:,} images."
    )
    rows = tuple(
        (
            each.name,
            f"{each.low:,}..{each.high:,}",
            f"{each.scale:,}",
            percent(each.near / max(1, each.membranes)),
        )
        for each in facts.watched
    )
    header = ("population", "reached", "median threshold", "within 1/64 of it")
    picture = Picture(
        svg_of("membranes", draw, of_rows(len(shown)), top=BARE),
        "Membranes against thresholds",
        caption,
    )
    return Section("membranes", title, (), (picture,), (Table("All layers", header, rows),))


def flips(facts: Facts) -> Section:
    """How much differs, and how near to differing the rest is."""
    title = "Which spikes does rounding flip, and how near are the others?"
    beside, difference = dict(facts.beside), facts.difference
    if not (facts.watched or beside or difference):
        return Section("flips", title, missing=f"{NEEDS_DATA}, or compile with --calibrate")
    other = () if difference is None else difference.layers
    draw = partial(
        layers.margins, watched=facts.watched[:FEW], flips=other, beside=beside, palette=PAGE
    )
    caption = (
        "The bar is the share of membranes within 1/64 of their threshold: those are what a little "
        "more rounding would flip. Look for flips that grow from layer to layer."
    )
    lines = [] if beside else ["Flips against the real-valued network: compile with --calibrate."]
    if difference is None:
        lines.append("Flips against another execution: --beside OTHER.npz or OTHER.snncc.")
    count = len(facts.watched[:FEW]) or len(other) or len(beside)
    picture = Picture(svg_of("flips", draw, of_rows(count)), "Flips by layer", caption)
    header = ("population", "differ", "neurons that differ", "of", "steps late")
    rows = tuple(
        (
            each.name,
            percent(each.share),
            f"{each.neurons:,}",
            f"{each.of:,}",
            "" if each.shift is None else f"{each.shift:+d}",
        )
        for each in other
    )
    tables = (Table("Against the other execution", header, rows),) if rows else ()
    return Section("flips", title, tuple(lines), (picture,), tables)


def first(facts: Facts) -> Section:
    """The first neuron that differs from another execution."""
    title = "Where does it first part from another execution?"
    found = facts.difference
    if found is None:
        missing = "needs another execution: --beside OTHER.npz (a recording) or OTHER.snncc"
        return Section("divergence", title, missing=missing)
    lines = [f"Beside {found.other}, on {found.images:,} images."]
    if found.left_out:
        lines.append(f"Not compared, the other lacks them: {', '.join(found.left_out)}.")
    if found.answers is not None:
        lines.append(f"Answers differ on {found.answers:,} images.")
    if found.first is None:
        return Section("divergence", title, (*lines, "All that was compared is equal."))
    lines += [f"First in {found.first.where}. Cause: {found.first.cause}."]
    lines.append(f"A is this program, B the other: {found.first.text.rstrip('.')}.")
    pictures: tuple[Picture, ...] = ()
    if found.first.trace.own or found.first.trace.other:
        draw = partial(spikes.trace, found=found.first, palette=PAGE)
        caption = (
            "The membrane of that neuron, before the reset. Look at where the curves part, and at "
            "how near the threshold that is."
        )
        made = svg_of("trace", draw, 1.9, 0.9)
        pictures = (Picture(made, "Membranes of the first neuron that differs", caption, True),)
    table = Table("That neuron", ("", "this program", "the other"), found.first.states)
    return Section("divergence", title, tuple(lines), pictures, (table,))
