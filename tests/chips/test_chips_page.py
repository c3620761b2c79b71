"""docs/chips.md shows the schema and the shipped descriptions as they are."""

from pathlib import Path

from chip_tables import chip_table, field_table, with_tables

from snncc.chips.fields import FIELDS
from snncc.chips.reading import shipped


def test_the_tables_of_the_page_are_those_of_the_files(root: Path) -> None:
    page = (root / "docs/chips.md").read_text()
    assert with_tables(page) == page, "run python tests/helpers/chip_tables.py"
    assert len(chip_table()) == len(shipped()) + 2
    assert len(field_table()) == len(FIELDS) + 2
    for line in (*chip_table(), *field_table()):
        assert f"{line}\n" in page
