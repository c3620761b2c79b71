"""What is wrong, on its way from one process to another."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, cast

from snncc.diagnostics import Finding, SnnccError


def as_records(error: SnnccError) -> list[dict[str, Any]]:
    """Findings in JSON form; places in a model are left out, for data have none."""
    return [{**asdict(finding), "loc": None} for finding in error.findings]


def from_records(records: object) -> SnnccError:
    """The error whose findings `as_records` gave."""
    return SnnccError.of(
        Finding(
            str(each["code"]),
            str(each["message"]),
            why=str(each["why"]),
            help=str(each["help"]),
            details=tuple(map(str, each["details"])),
        )
        for each in cast("Iterable[Mapping[str, Any]]", records)
    )
