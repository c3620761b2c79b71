"""Results by shard in a file of SQLite: a shard is in it as a whole, or not at all.

A process that is killed leaves what it had written, and the next one goes on from there. One
process writes at a time; SQLite holds the lock, which ends with the process.
"""

import os
import sqlite3
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from snncc.diagnostics import SnnccError
from snncc.evaluation.results import ShardResult, result_of
from snncc.evaluation.store_files import require_own

APPLICATION = 0x534E4345
SCHEMA = "1"
MADE = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE shards (number INTEGER PRIMARY KEY, stamp TEXT NOT NULL, content TEXT NOT NULL, "
    "predictions BLOB NOT NULL, ranks BLOB NOT NULL, digests BLOB NOT NULL, "
    "latencies BLOB NOT NULL, spikes TEXT NOT NULL, operations TEXT NOT NULL, "
    "seconds REAL NOT NULL, waited REAL NOT NULL, worker TEXT NOT NULL, checksum TEXT NOT NULL)",
    f"PRAGMA application_id = {APPLICATION}",
)


UNWRITABLE = (
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL),
    *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH),
)
"""Errors of SQLite that are of the disk, not of what is in the file."""


class Store:
    """Results of one evaluation.

    Args:
        database: open, and locked by this process.
        name: of it in messages.
    """

    def __init__(self, database: sqlite3.Connection, name: str) -> None:
        self._database, self.name = database, name

    def put(self, result: ShardResult, stamp: str) -> None:
        """Keeps a shard, on the disk when this returns."""
        row = result.row(stamp)
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            places = ", ".join("?" * len(row))
            self._database.execute(f"INSERT OR REPLACE INTO shards VALUES ({places})", row)  # noqa: S608

    def stamps(self) -> dict[int, tuple[str, str]]:
        """Stamp and content of each shard that is there."""
        rows = self._database.execute("SELECT number, stamp, content FROM shards")
        return {number: (stamp, content) for number, stamp, content in rows}

    def restamp(self, number: int, stamp: str) -> None:
        """Of a shard whose files have other times, and hold what they held."""
        result = next(r for r in self._results("WHERE number = ?", (number,)) if r is not None)
        self.put(result, stamp)

    def results(self) -> Iterator[ShardResult]:
        """Shards in the order of their numbers.

        Raises:
            SnnccError: SNN190 for one that is not what was written.
        """
        for result in self._results("ORDER BY number", ()):
            if result is None:
                raise _refused(self.name, "a row of it is damaged", "run the evaluation again")
            yield result

    def damaged(self) -> list[int]:
        """Numbers of shards that are not what was written."""
        numbers = [n for (n,) in self._database.execute("SELECT number FROM shards")]
        return [
            number
            for number in sorted(numbers)
            if next(self._results("WHERE number = ?", (number,))) is None
        ]

    def drop(self, numbers: list[int]) -> None:
        """Forgets shards."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            every = [(number,) for number in numbers]
            self._database.executemany("DELETE FROM shards WHERE number = ?", every)

    def _results(self, which: str, values: tuple[Any, ...]) -> Iterator[ShardResult | None]:
        for row in self._database.execute(f"SELECT * FROM shards {which}", values):  # noqa: S608
            try:
                yield result_of(row)
            except (ValueError, TypeError, KeyError):
                yield None


@contextmanager
def open_store(
    path: Path | None, facts: Mapping[str, str], restart: bool = False
) -> Generator[Store]:
    """The store of an evaluation.

    Args:
        path: of the file, made where there is none; None for one in memory, which is lost.
        facts: what results depend on.
        restart: forgets what is in it.

    Raises:
        SnnccError: SNN190 when it is no store, damaged, in use, or of another evaluation; SNN002
            when it cannot be written, or what lies beside it is not SQLite's.
    """
    name = ":memory:" if path is None else str(path)
    # The whole path: SQLite has words of its own, such as ":memory:".
    place = name if path is None else os.path.abspath(path)
    if path is not None:
        require_own(path)
    try:
        database = sqlite3.connect(place, timeout=1.0, isolation_level=None)
    except sqlite3.Error as error:
        raise _unwritable(name, str(error)) from error
    try:
        yield _opened(database, name, {"schema": SCHEMA, **facts}, restart)
    except sqlite3.Error as error:
        raise _failed(name, error) from error
    except UnicodeDecodeError as error:  # of a name in it, which SQLite tells as it stands there
        raise _damaged(name, str(error)) from error
    finally:
        with suppress(sqlite3.Error):
            database.close()


def _opened(
    database: sqlite3.Connection, name: str, facts: Mapping[str, str], restart: bool
) -> Store:
    database.text_factory = _text
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("PRAGMA synchronous = FULL")
    with database:
        database.execute("BEGIN EXCLUSIVE")
        ((application,),) = database.execute("PRAGMA application_id")
        ((tables,),) = database.execute("SELECT count(*) FROM sqlite_master")
        if tables == 0 and application == 0:
            for statement in MADE:
                database.execute(statement)
        elif application != APPLICATION:
            raise _refused(name, "it holds other things", "give another file")
        if restart:
            database.execute("DELETE FROM shards")
            database.execute("DELETE FROM facts")
        known = dict(database.execute("SELECT name, value FROM facts"))
        if not known:
            database.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
            known = dict(facts)
        _require_same(name, known, facts)
    ((verdict,),) = database.execute("PRAGMA quick_check(1)")
    if verdict != "ok":
        raise _damaged(name, str(verdict))
    return Store(database, name)


def _require_same(name: str, known: Mapping[str, str], facts: Mapping[str, str]) -> None:
    other = [fact for fact in {**known, **facts} if known.get(fact) != facts.get(fact)]
    if other:
        reason = f"what differs: {', '.join(other)}"
        help_ = "give a store for each evaluation, or --restart to forget what is in this one"
        raise _refused(name, reason, help_, "is of another evaluation")


def _text(data: bytes) -> str:
    """Text of a cell; what is no text has no longer its checksum, and need not end the call."""
    return data.decode("utf-8", "replace")


def _failed(name: str, error: sqlite3.Error) -> SnnccError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _refused(name, "another evaluation writes it now", "wait for it, or end it")
    if code in UNWRITABLE:
        return _unwritable(name, str(error))
    return _damaged(name, str(error))


def _damaged(name: str, why: str) -> SnnccError:
    return _refused(name, why, "give another file, or remove this one")


def _refused(name: str, why: str, help: str, what: str = "cannot be used") -> SnnccError:
    return SnnccError("SNN190", f"the store {name} {what}", why=why, help=help)


def _unwritable(name: str, reason: str) -> SnnccError:
    return SnnccError("SNN002", f"{name} cannot be written", why=reason, help="choose another path")
