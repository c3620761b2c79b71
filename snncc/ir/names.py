"""What nodes, constants and axes can be called."""

from functools import lru_cache

LONGEST_NAME = 512


def is_name(text: str) -> bool:
    """Whether a text can name a node or a constant: printable, without square brackets."""
    return 0 < len(text) <= LONGEST_NAME and _can_stand(text)


def is_axis_name(text: str) -> bool:
    """Whether a text can name an axis: a letter, then letters, digits, `_`, `.` and `-`."""
    plain = all(c.isalnum() or c in "_.-" for c in text)
    return is_name(text) and plain and text[0].isalpha()


def as_name(text: str) -> str:
    """The nearest text that can name a node or a constant; "" for none.

    What can be a name stays as it is: passes find nodes by the names that earlier passes gave.
    """
    if is_name(text):
        return text
    cut = text[: LONGEST_NAME - 32]  # room for a number, and for what a node's constants are called
    return cut if _can_stand(cut) else "".join(c if _can_stand(c) else "_" for c in cut)


def numbered(stem: str, number: int) -> str:
    """A name with a number behind it, no longer than names can be."""
    end = f"_{number}"
    return stem[: LONGEST_NAME - len(end)] + end


@lru_cache(maxsize=1 << 12)
def _can_stand(text: str) -> bool:
    """Whether every character may stand in a name."""
    return text.isprintable() and "[" not in text and "]" not in text
