"""What `Program.evaluate` is given, as evaluations take it."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from warnings import warn

from snncc.api.arguments import classes_of, progress_of
from snncc.api.checks import flag, path_of, whole, wrong
from snncc.artifact import Program
from snncc.diagnostics import SnnccError
from snncc.diagnostics.notices import Notice
from snncc.evaluation.figures import Evaluation
from snncc.evaluation.planning import Ways, evaluate, plan_of


def evaluation_of(
    program: Program,
    data: str | Path,
    labels: Any,
    reference: str | Path | None,
    store: str | Path | None,
    restart: bool,
    limit: int | None,
    shard_size: int,
    operations: int | None,
    ways: Ways,
    progress: Callable[[int, int], None] | None,
) -> Evaluation:
    """The figures; see `Program.evaluate`.

    Raises:
        SnnccError: SNN001 for arguments that there are not; those of `evaluate`.
    """
    counts = {"limit": limit, "operations": operations, "workers": ways.workers}
    counts |= {"threads": ways.threads, "readers": ways.readers, "shard_size": shard_size}
    for name, value in counts.items():
        if value is not None and whole(name, value) < 1:
            raise wrong(name, value, "give at least 1")
    if not (math.isfinite(ways.patience) and ways.patience > 0):
        raise wrong("patience", ways.patience, "give seconds, more than 0")
    if ways.workers is not None and ways.scheduler is not None:
        raise SnnccError("SNN001", "workers and scheduler are given", help="leave one out")
    where = None if store is None else path_of("store", store)
    if flag("restart", restart) and where is None:
        raise SnnccError("SNN001", "restart=True has no effect without a store")
    word = isinstance(labels, str | Path)
    given = str(labels) if word else None if labels is None else classes_of(labels)
    other = None if reference is None else str(reference)
    plan = plan_of(
        program, str(path_of("data", data)), given, other, limit, shard_size, operations or 0
    )
    seen = progress_of(progress)

    def look(done: int, total: int) -> None:
        if seen is not None:
            seen(done, total)

    def tell(sentence: str) -> None:
        warn(sentence, Notice, stacklevel=5)

    return evaluate(program, plan, where, restart, ways, look, tell).evaluation
