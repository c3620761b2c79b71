"""Text of files on a terminal: names, source lines and messages of others are shown, not obeyed."""


def printable(text: str) -> str:
    r"""The text with every character that is not one to be seen written as an escape.

    A name in a program or a model can hold anything: a newline would begin a line that looks like
    snncc's own, ESC would give the terminal an order, a lone surrogate cannot be encoded. They
    become `\n`, `\x1b`, `\ud800`.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
