"""What a page is made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A drawing.

    Attributes:
        svg: as it stands in the page.
        told: what it shows, for those who do not see it.
        caption: what to look for.
        small: whether it is read where it is small; others keep a width and are moved sideways.
    """

    svg: str
    told: str
    caption: str
    small: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of texts; the first `left` columns are flush left."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1


@dataclass(frozen=True)
class Section:
    """One question and its answer.

    Attributes:
        name: of it in the page's address.
        title: the question.
        lines: sentences before the pictures.
        pictures: in order.
        tables: after them, folded where they are long.
        missing: which option brings it, where there are no data; "" else.
    """

    name: str
    title: str
    lines: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    missing: str = ""


def percent(share: float | None) -> str:
    """A share for people; "-" for none."""
    return "-" if share is None else f"{share:.2%}"
