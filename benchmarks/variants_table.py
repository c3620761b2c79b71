"""Compiles every shipped network at several weight widths and writes the table of the docs.

The facts go to docs/variants.json, the table to docs/variants.md. Both repeat from run to run,
except for the times.

    OMP_NUM_THREADS=1 python benchmarks/variants_table.py [--only VARIANT] [--check]

With --check nothing is written: the facts are computed again and compared with the JSON. The facts
do not depend on the number of threads; CPU seconds of compiling do, as idle threads spin.
"""

import argparse
import json
import sys
from pathlib import Path

from variants_facts import TIMES, Row, row_of, shipped

DOCS = Path(__file__).resolve().parent.parent / "docs"
FACTS = DOCS / "variants.json"
TABLE = DOCS / "variants.md"
WEIGHT_BITS = (4, 8, 16)

INTRODUCTION = """\
# Every variant, compiled

What each shipped network of images loses and costs at 4, 8 and 16-bit weights, beside the network
that was trained. `python benchmarks/variants_table.py` makes this page and `variants.json`; with
`--check` it compares them with new runs.
"""

NOTES = """\
Networks are those of `examples/` ([its README](../examples/README.md)), compiled with 500
calibration images and run on {images} others.

- original: accuracy of the trained PyTorch network in float64
- agreement: share of images on which the program predicts what the original predicts
- flips: spikes too many or too few against the folded network in real numbers, in percent of all
  neurons at all steps; spikes: how many fire in that network, likewise
- size: the program's file
- compile, run: CPU seconds of one thread (`OMP_NUM_THREADS=1`) on the machine that made the page,
  the run for all images, with kernels compiled before; `--check` does not compare them

`patch-cell`, `tdbn`, `tebn` and `learned-tau` have the patch cell; `strided` and `identity-norm`
merge patches by a strided convolution, and `identity-norm` has a BatchNorm and neurons on the
identity branch (the public `mixer_sparse`). `tdbn` is BatchNorm at inference: it differs in where
training starts. The LayerNorm variant has no row: it divides by data, and the compiler refuses it
(SNN020). `sew-resnet` (spikes added up at skips, max pooling) and `spikformer` (spiking attention)
are modules in plain PyTorch on digits of 8x8.
"""


def facts_of(row: Row) -> Row:
    """A row without what differs from run to run."""
    return {key: value for key, value in row.items() if key not in TIMES}


def key_of(row: Row) -> tuple[str, int, int]:
    """What a row is about."""
    return row["variant"], row["steps"], row["bits"]


def differences(held: list[Row], computed: list[Row]) -> list[str]:
    """One line for every fact that is not as it is held, and every row that only one side has."""
    old, new = ({key_of(row): facts_of(row) for row in rows} for rows in (held, computed))
    lines: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        name = "{} T = {} at {} bits".format(*key)
        if key not in old or key not in new:
            lines.append(f"{name}: {'not in the JSON' if key in new else 'not shipped'}")
            continue
        facts = sorted(old[key].keys() | new[key].keys())
        lines += [
            f"{name}: {fact} is {new[key].get(fact)}, the JSON has {old[key].get(fact)}"
            for fact in facts
            if old[key].get(fact) != new[key].get(fact)
        ]
    return lines


def render(rows: list[Row]) -> str:
    """The page, from the facts."""
    head = (
        "variant",
        *("T", "bits", "verdict", "original", "accuracy", "agreement", "flips", "spikes"),
        *("size", "compile", "run"),
    )
    lines = [head, ("---", *["---:"] * 2, "---", *["---:"] * 8), *(cells(row) for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join((INTRODUCTION, table, "", NOTES.format(images=rows[0]["images"])))


def cells(row: Row) -> tuple[str, ...]:
    """One line of the table."""
    images, sites = row["images"], row["sites"]
    return (
        *(row["variant"], str(row["steps"]), str(row["bits"]), row["verdict"]),
        f"{row['correct_original'] / images:.1%}",
        f"{row['correct'] / images:.1%}",
        f"{row['agreeing'] / images:.1%}",
        f"{row['flips'] / sites:.2%}",
        f"{row['spikes'] / sites:.1%}",
        f"{row['kilobytes']:,} kB",
        f"{row['compile_seconds']:.1f} s",
        f"{row['run_seconds']:.2f} s",
    )


def held_rows() -> list[Row]:
    """What docs/variants.json says."""
    rows: list[Row] = json.loads(FACTS.read_text())["rows"] if FACTS.exists() else []
    return rows


def write(rows: list[Row]) -> None:
    """Writes the JSON, one row a line, and the page."""
    lines = ",\n    ".join(json.dumps(row) for row in rows)
    FACTS.write_text(f'{{\n  "schema": 1,\n  "rows": [\n    {lines}\n  ]\n}}\n')
    TABLE.write_text(render(rows))


def main() -> int:
    networks = shipped()
    variants = list(dict.fromkeys(network.variant for network in networks))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=variants, help="the other rows stay as they are")
    parser.add_argument("--check", action="store_true", help="exit 1 when a fact differs")
    options = parser.parse_args()
    computed: list[Row] = []
    for network in networks:
        for bits in WEIGHT_BITS if options.only in (None, network.variant) else ():
            computed.append(row_of(network, bits))
            print("  ".join(cells(computed[-1])), flush=True)
    held = held_rows()
    if options.check:
        asked = [row for row in held if options.only in (None, row["variant"])]
        lines = differences(asked, computed)
        if TABLE.read_text() != render(held):
            lines.append(f"{TABLE.name} is not what {FACTS.name} renders")
        print("\n".join(lines) or f"every fact is as {FACTS.name} has it")
        return 1 if lines else 0
    kept = [row for row in held if options.only not in (None, row["variant"])]
    order = [network.key for network in networks]
    rows = [row for row in [*kept, *computed] if key_of(row)[:2] in order]
    write(sorted(rows, key=lambda row: (order.index(key_of(row)[:2]), row["bits"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
