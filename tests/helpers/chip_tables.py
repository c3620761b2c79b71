"""The tables of docs/chips.md, from the schema and the shipped descriptions.

`python tests/helpers/chip_tables.py` writes them into the page.
"""

import re
from pathlib import Path

from snncc.chips.facts import Chip
from snncc.chips.fields import FIELDS
from snncc.chips.reading import chip_named, shipped

COLUMNS = {
    "cores": "chip.cores",
    "neurons a core": "core.neurons",
    "weight bits": "synapse.weight_bits",
    "membrane bits": "neuron.state_bits",
    "leaks": "neuron.leaks",
    "resets": "neuron.resets",
    "delay steps": "neuron.delay_steps",
}


def shown(chip: Chip, key: str) -> str:
    """A fact in a table: "?" where it is unknown, a star where nobody verified it."""
    fact = chip.fact(key)
    if fact.value is None:
        return "?" if key in chip.facts else "-"
    value = ", ".join(map(str, fact.value)) if isinstance(fact.value, tuple) else f"{fact.value:,}"
    return value if fact.verified else f"{value}*"


def chip_table() -> list[str]:
    """A line a chip."""
    rows = [f"| name | chip | {' | '.join(COLUMNS)} | facts: known, unverified, unknown |"]
    rows.append("|" + " --- |" * (len(COLUMNS) + 3))
    for name in shipped():
        chip = chip_named(name)
        known = [fact for fact in chip.facts.values() if fact.value is not None]
        doubtful = sum(not fact.verified for fact in known)
        counts = f"{len(known)}, {doubtful}, {len(chip.facts) - len(known)}"
        cells = " | ".join(shown(chip, key) for key in COLUMNS.values())
        rows.append(f"| `{name}` | {chip.title} | {cells} | {counts} |")
    return rows


def field_table() -> list[str]:
    """A line a field of the schema."""
    rows = ["| field | what | value | families |", "| --- | --- | --- | --- |"]
    for key, field in FIELDS.items():
        kinds = {
            "words": f"some of {', '.join(field.words)}",
            "wholes": "whole numbers",
            "whole": "a whole number",
            "span": "two whole numbers",
            "flag": "true or false",
            "amount": "a number",
        }
        unit = "" if field.units is None else f" of {', '.join(field.units)}"
        families = "all" if len(field.families) == 3 else ", ".join(field.families)
        rows.append(f"| `{key}` | {field.about} | {kinds[field.kind]}{unit} | {families} |")
    return rows


def with_tables(page: str) -> str:
    """A page with both tables between their marks."""
    for mark, rows in (("chips", chip_table()), ("fields", field_table())):
        between = rf"(<!-- {mark} -->\n).*?(<!-- end of {mark} -->)"
        text = "\n".join(rows) + "\n"
        page = re.sub(between, lambda m, t=text: m[1] + t + m[2], page, flags=re.S)
    return page


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "docs/chips.md"
    path.write_text(with_tables(path.read_text()))
