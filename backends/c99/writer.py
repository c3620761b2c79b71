"""Lines of C with indentation, blocks and loops."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

INDEX = "ptrdiff_t"


class Writer:
    """A function body under construction.

    Attributes:
        lines: that are written.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth, self._names = 1, 0

    def line(self, text: str) -> None:
        """One line in its place."""
        self.lines.append("    " * self._depth + text if text else "")

    def fresh(self, stem: str) -> str:
        """The name of a variable that no other has."""
        self._names += 1
        return f"{stem}{self._names}"

    def let(self, ctype: str, value: str, stem: str = "x") -> str:
        """A new variable that never changes, and its name."""
        name = self.fresh(stem)
        self.line(f"const {ctype} {name} = {value};")
        return name

    @contextmanager
    def block(self, head: str = "") -> Generator[None]:
        """Lines in braces."""
        self.line(f"{head} {{".lstrip())
        self._depth += 1
        yield
        self._depth -= 1
        self.line("}")

    @contextmanager
    def loop(self, size: int, running: Mapping[str, tuple[str, int]]) -> Generator[str]:
        """A loop; gives the name of its counter.

        Args:
            size: how often it runs.
            running: names of further variables, each with its start and what is added every time.
                No index is computed by a multiplication, nor by a compiler: it is not told how
                such a variable goes on.
        """
        counter = self.fresh("i")
        starts = [f"{counter} = 0", *(f"{name} = {start}" for name, (start, _) in running.items())]
        steps = [f"{counter}++", *(f"{name} += {step}" for name, (_, step) in running.items())]
        head = f"for ({INDEX} {', '.join(starts)}; {counter} < {size}; {', '.join(steps)})"
        with self.block(head):
            for name, (_, step) in running.items():
                if abs(step) & (abs(step) - 1):
                    self.line(f"NET_HIDE({name});")
            yield counter
