"""The share of changes that tests notice, by package, with its interval."""

from collections import Counter

VERDICTS = ("killed", "survived", "unreached", "undecided")
LEVEL = 1.96
"""Standard deviations on both sides that hold 95 % of a normal distribution."""


def interval(killed: int, decided: int) -> tuple[float, float]:
    """Wilson's interval of 95 % of a share, in percent."""
    share, square = killed / decided, LEVEL * LEVEL / decided
    middle = (share + square / 2) / (1 + square)
    spread = (share * (1 - share) * square + square * square / 4) ** 0.5 / (1 + square)
    return 100 * (middle - spread), 100 * (middle + spread)


def table(results: dict[str, Counter[str]]) -> str:
    """Markdown: a line for each package, one for all."""
    lines = [
        f"| package | mutants | {' | '.join(VERDICTS)} | score | 95 % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    total: Counter[str] = sum(results.values(), Counter())
    for name, counts in [*sorted(results.items()), ("all", total)]:
        decided = counts["killed"] + counts["survived"]
        score = f"{100 * counts['killed'] / decided:.0f} %" if decided else "-"
        ends = "{:.0f} to {:.0f} %".format(*interval(counts["killed"], decided)) if decided else "-"
        cells = (sum(counts.values()), *(counts[verdict] for verdict in VERDICTS))
        lines.append(f"| {name} | {' | '.join(map(str, cells))} | {score} | {ends} |")
    return "\n".join(lines)
