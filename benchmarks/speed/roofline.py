"""How near additions a second come to what the machine could do at most."""

from typing import Any

from speed.comparison import OURS


def roofline(
    limits: dict[str, float],
    tables: list[dict[str, Any]],
    sweeps: list[dict[str, Any]],
    threads: int,
) -> list[dict[str, Any]]:
    """Synaptic operations a second of ours, and percent of each limit of the cores in use.

    Args:
        limits: of one core, by `machine.limits`.
        tables: comparisons of networks, run on `threads` threads.
        sweeps: rows of sweeps; those of activity are run on one thread.
        threads: of the comparisons.
    """
    found: list[dict[str, Any]] = []
    for table in tables:
        ours = next(row for row in table["rows"] if row["name"] == OURS)
        rate = table["synaptic_operations"] / ours["seconds"]["median"]
        name = f"{table['network']}, batch {table['batch']}, everything"
        found.append(_line(name, rate, threads, limits))
    silence = next((r["seconds"] for r in sweeps if r["sweep"] == "rate" and not r["adds"]), 0.0)
    for row in sweeps:
        if row["sweep"] == "rate" and row["adds"]:
            line = _line(
                f"dense layers at {row['rate']:.0%}", row["adds"] / row["seconds"], 1, limits
            )
            beyond = row["adds"] / max(1e-9, row["seconds"] - silence)
            found.append({**line, "beyond_silence": beyond})
    return found


def _line(name: str, adds: float, threads: int, limits: dict[str, float]) -> dict[str, Any]:
    return {
        "what": name,
        "threads": threads,
        "adds_per_second": adds,
        "of_registers": adds / (threads * limits["register_adds"]),
        "of_l1": adds / (threads * limits["l1_bytes"]),  # a byte of weight for one addition
        "of_row_adds": adds / (threads * limits["l1_adds"]),
    }
