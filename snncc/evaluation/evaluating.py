"""An evaluation from its plan to its figures: what a store holds already is not done again."""

import hashlib
from collections.abc import Callable, Iterator

from snncc.diagnostics import Finding, SnnccError
from snncc.evaluation.engines import Engine
from snncc.evaluation.readers import readers
from snncc.evaluation.results import ShardResult
from snncc.evaluation.shards import Plan, Shard
from snncc.evaluation.store import Store

Tell = Callable[[str], None]
"""Takes a sentence for the user."""
SHOWN = 20


def missing_from(plan: Plan, store: Store, tell: Tell) -> list[int]:
    """Numbers of the shards that a store does not hold; what it holds is looked at.

    Args:
        plan: what is evaluated.
        store: of this plan.
        tell: of rows that are damaged, and will be evaluated again.

    Raises:
        SnnccError: SNN191 when files are not what they were.
    """
    if broken := store.damaged():
        store.drop(broken)
        tell(f"rows of {store.name} are damaged, and evaluated again: {_listed(plan, broken)}")
    require_unchanged(plan, store)
    there = store.stamps().keys()
    return [number for number in range(plan.shards) if number not in there]


def evaluate_shards(
    plan: Plan,
    store: Store,
    missing: list[int],
    engine: Engine,
    progress: Callable[[int, int], None],
) -> int:
    """Evaluates shards into a store.

    Args:
        plan: what is evaluated.
        store: of this plan, which holds all others.
        missing: numbers of the shards.
        engine: what evaluates.
        progress: called with the number of images that are done, and with all of them.

    Returns:
        How many images were evaluated.

    Raises:
        SnnccError: what was wrong with shards, each named (SNN191, SNN192), after all others are
            done; SNN193 of the engine.
    """
    held = plan.count - sum(stop - start for start, stop in map(plan.bounds, missing))
    stamps: dict[int, str] = {}
    findings: list[Finding] = []
    done = 0
    progress(held, plan.count)

    def shards() -> Iterator[Shard]:
        for number in missing:
            try:
                stamps[number] = plan.stamp(number)
            except SnnccError as error:  # a file that is no longer there
                findings.extend((_failed(plan, number), *error.findings))
            else:
                yield plan.shard(number)

    def deliver(shard: Shard, found: ShardResult | SnnccError) -> None:
        nonlocal done
        if isinstance(found, SnnccError):
            findings.extend((_failed(plan, shard.number), *found.findings))
            return
        stamp = stamps.pop(shard.number)
        if not _is_as_before(plan, shard.number, stamp):
            findings.append(_changed(plan, shard.number, "while they were evaluated"))
            return
        store.put(found, stamp)
        done += shard.count
        progress(held + done, plan.count)

    engine.run(shards(), deliver)
    if findings:
        raise SnnccError.of(findings)
    return done


def require_unchanged(plan: Plan, store: Store) -> None:
    """Sees to it that the files of what a store holds are still what they were.

    Files with other times are read again: only what is in them counts.

    Raises:
        SnnccError: SNN191 naming the shards.
    """
    known = store.stamps()
    other = [n for n, (stamp, _) in known.items() if not _is_as_before(plan, n, stamp)]
    if not other:
        return
    findings: list[Finding] = []
    with readers(1) as pool:
        for number in other:
            content = hashlib.sha256()
            try:
                stamp = plan.stamp(number)
                for batch in pool.ahead(plan.shard(number).requests):
                    content.update(batch.result().sha256.encode())
            except SnnccError as error:
                findings += [_changed(plan, number, "since they were evaluated"), *error.findings]
                continue
            if content.hexdigest() != known[number][1]:
                findings.append(_changed(plan, number, "since they were evaluated"))
            else:
                store.restamp(number, stamp)
    if findings:
        raise SnnccError.of(findings)


def _is_as_before(plan: Plan, number: int, stamp: str) -> bool:
    """Whether the files of a shard look as they did; one that is gone does not."""
    try:
        return plan.stamp(number) == stamp
    except SnnccError:
        return False


def _changed(plan: Plan, number: int, when: str) -> Finding:
    return Finding(
        "SNN191",
        f"{_named(plan, number)} changed {when}",
        None,
        "results of one evaluation are of the same images",
        "put back what was there, or give --restart to evaluate everything again",
    )


def _failed(plan: Plan, number: int) -> Finding:
    return Finding(
        "SNN192",
        f"{_named(plan, number)} could not be evaluated",
        None,
        "the error after this one says what is wrong with it; all other shards are done and kept "
        "where a --store was given",
        "mend or remove what is wrong, and run the same command again",
    )


def _named(plan: Plan, number: int) -> str:
    start, stop = plan.bounds(number)
    return f"shard {number} (images {start:,} to {stop - 1:,})"


def _listed(plan: Plan, numbers: list[int]) -> str:
    shown = ", ".join(_named(plan, number) for number in numbers[:SHOWN])
    return shown if len(numbers) <= SHOWN else f"{shown} and {len(numbers) - SHOWN} more"
