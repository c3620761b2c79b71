"""Sections on what a program is: weights, widths, work, and what nobody can say."""

from functools import partial

from snncc.report.facts import Facts
from snncc.report.page.behaviour import FEW, NEEDS_DATA
from snncc.report.page.sections import Picture, Section, Table, percent
from snncc.report.pictures import confusion, layers, ridges
from snncc.report.svg import BARE, PAGE, of_rows, svg_of

NOBODY = "Nobody can say here: see the last section."


def weights(facts: Facts) -> Section:
    """Histograms with clip edges."""
    title = "How do weights fill their bits?"
    if not facts.weights:
        return Section("weights", title, ("The program has no projections.",))
    shown = facts.weights[:FEW]
    draw = partial(ridges.weights, found=shown, palette=PAGE)
    caption = (
        "The red lines are the largest weights that the bits hold. A heap at a line means weights "
        "that were cut off or scaled to fit; a narrow heap in the middle means bits that are not "
        "used. The red number counts the weights at the lines. Heights are roots of counts."
    )
    rows = tuple(
        (
            each.name,
            f"{each.bits}{'' if each.declared else ' (needed)'}",
            f"{each.count:,}",
            f"{each.low:,}..{each.high:,}",
            percent(each.zeros / max(1, each.count)),
            f"{each.clipped:,}",
        )
        for each in facts.weights
    )
    header = ("projection", "bits", "weights", "span", "zero", "at the edge")
    made = svg_of("weights", draw, of_rows(len(shown)), right=0.5, top=BARE)
    picture = Picture(made, "Weights by projection", caption)
    return Section("weights", title, (), (picture,), (Table("All projections", header, rows),))


def widths(facts: Facts) -> Section:
    """Bits of every number."""
    title = "How many bits does every number need?"
    if not facts.widths:
        return Section("widths", title, (NOBODY,))
    wide = [each for each in facts.widths if each.bits[1] > facts.register]
    lines = [
        f"{len(wide):,} of {len(facts.widths):,} numbers need more than {facts.register} bits for "
        "some input (--register N draws the line elsewhere)."
    ]
    if not facts.watched:
        lines.append(f"What membranes reach {NEEDS_DATA}.")
    shown = [each for each in facts.widths if each.what in ("membrane", "readout")][:FEW]
    draw = partial(layers.widths, found=shown, register=facts.register, palette=PAGE)
    caption = (
        "Membranes and the answer. Grey is what the program declares, blue what any input can "
        "cause, the diamond what these images caused. Bars beyond the line do not fit a register "
        "of that width; a diamond far inside its bar shows room that is there for rare inputs only."
    )
    rows = tuple(
        (
            each.name,
            each.what,
            *(str(n) for n in each.bits[:2]),
            "-" if each.bits[2] is None else str(each.bits[2]),
            "{:,}..{:,}".format(*each.proved),
        )
        for each in facts.widths
    )
    header = ("node", "number", "declared", "proved", "reached", "proved span")
    picture = Picture(svg_of("widths", draw, of_rows(len(shown))), "Bits by layer", caption)
    table = Table("All numbers", header, rows, 2)
    return Section("widths", title, tuple(lines), (picture,), (table,))


def work(facts: Facts) -> Section:
    """Operations and time."""
    title = "Where is the work?"
    if not facts.work and facts.images:
        return Section("work", title, (NOBODY,))
    if not facts.work:
        return Section("work", title, missing=NEEDS_DATA)
    shown = facts.work[:FEW]
    dense, effective = (sum(getattr(w, k) for w in facts.work) for k in ("dense", "effective"))
    saved = f", {dense / effective:,.1f} times fewer" if effective else ""
    lines = [
        f"An image takes {effective:,.0f} additions of a weight; {dense:,.0f} would be needed if "
        f"every synapse were computed at every step{saved}. Means of {facts.detail:,} images."
    ]
    caption = (
        "Grey is every synapse at every step, blue those that a spike, or a set bit of a pixel, "
        "reaches: the wider the gap, the more silence saves. A pixel counts once for each of its "
        "set bits, so the first bar can be longer than its grey. The axis is logarithmic."
    )
    draw = partial(layers.work, found=shown, palette=PAGE)
    pictures = [Picture(svg_of("work", draw, of_rows(len(shown))), "Work by projection", caption)]
    if facts.times:
        units = facts.times[:FEW]
        draw_times = partial(layers.times, found=units, palette=PAGE)
        made = svg_of("times", draw_times, of_rows(len(units)), top=BARE)
        told = "Medians on this machine. A unit is a population with the projections that it reads."
        pictures.append(Picture(made, "Time by unit", told))
    else:
        lines.append("Time by layer: --profile.")
    header = ("projection", "reads", "dense", "effective", "share")
    rows = tuple(
        (
            each.name,
            each.source + (", by the host" if each.by_host else ""),
            f"{each.dense:,.0f}",
            f"{each.effective:,.0f}",
            percent(each.effective / effective if effective else None),
        )
        for each in facts.work
    )
    table = Table("All projections, an image", header, rows, 2)
    return Section("work", title, tuple(lines), tuple(pictures), (table,))


def answers(facts: Facts) -> Section:
    """Which classes are taken for which, and where program and original differ."""
    title = "What does it answer?"
    found = facts.answers
    if found is None and facts.images:
        return Section("answers", title, (NOBODY,))
    if found is None:
        return Section("answers", title, missing=f"{NEEDS_DATA} --labels KEY --reference KEY")
    lines = [f"{found.images:,} images, {found.classes:,} classes."]
    if found.accuracy is not None:
        lines.append(f"Accuracy {percent(found.accuracy)}.")
    if found.original_accuracy is not None:
        lines.append(f"The original network's accuracy {percent(found.original_accuracy)}.")
    if found.agreement is not None:
        lines.append(
            f"Program and original give the same answer on {percent(found.agreement)} of the "
            f"images; they differ on {found.differ:,}."
        )
    else:
        lines.append("Images on which program and original differ: --reference LOGITS.")
    if not found.rows:
        return Section("answers", title, (*lines, "Which classes are confused: --labels KEY."))
    draw = partial(confusion.confusion, found=found, palette=PAGE)
    caption = (
        f"Rows are the {'labels' if found.rows == 'label' else 'answers of the original network'}, "
        "columns the program's. Look for a red column: a class that too much is taken for."
    )
    picture = Picture(
        svg_of("confusion", draw, 4.0, 0.9, top=BARE), "Confusion matrix", caption, small=True
    )
    wrong = sorted((each for each in found.confusion if each[0] != each[1]), key=lambda e: -e[2])
    rows = tuple((str(row), str(column), f"{images:,}") for row, column, images in wrong[:20])
    header = (found.rows, "answered", "images")
    tables = (Table("The most frequent confusions", header, rows, 0),) if rows else ()
    return Section("answers", title, tuple(lines), (picture,), tables)


def not_judged(facts: Facts) -> Section:
    """What nobody can say."""
    title = "What could not be judged?"
    return Section("not-judged", title, facts.not_judged or ("Nothing was left open.",))
