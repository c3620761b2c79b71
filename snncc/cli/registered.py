"""Names that a registry offers, as values of options."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from snncc.cli.path_types import Base


class Registered(Base):
    """One of the names that there are when the option is read.

    Args:
        names: of the registry.
        checked: whether a name that there is not is refused here; what checks all options of a
            command together says more.
    """

    name = "choice"

    def __init__(self, names: Callable[[], Sequence[str]], *, checked: bool = True) -> None:
        self.names, self.checked = names, checked

    def get_metavar(self, *args: Any, **named: Any) -> str | None:
        """As `click.Choice` shows it."""
        return click.Choice(self.names()).get_metavar(*args, **named)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The name. Raises click's error for one that there is not."""
        if not self.checked:
            return value
        return click.Choice(self.names()).convert(value, param, ctx)

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> Any:
        """The names that begin so."""
        return click.Choice(self.names()).shell_complete(ctx, param, incomplete)
