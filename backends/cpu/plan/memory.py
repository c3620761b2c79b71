"""Where values lie in the working memory: places are used again when nobody reads them any more."""

from collections.abc import Mapping, Sequence

ALIGN = 64


def place_buffers(
    sizes: Mapping[str, int], lives: Mapping[str, tuple[int, int]], fixed: Sequence[str] = ()
) -> tuple[dict[str, int], int]:
    """Places for buffers such that no two that live at once overlap.

    Greedy by size: each takes the lowest gap among those that live when it does.

    Args:
        sizes: bytes by name.
        lives: first and last unit, both included, by name.
        fixed: names that live all the time.

    Returns:
        The places, and how many bytes there are in all.
    """
    placed: dict[str, tuple[int, int]] = {}
    whole = max((last for _, last in lives.values()), default=0)
    spans = {name: (0, whole) if name in fixed else lives[name] for name in sizes}
    for name in sorted(sizes, key=lambda n: (-sizes[n], n)):
        first, last = spans[name]
        near = sorted(
            placed[other]
            for other in placed
            if spans[other][0] <= last and first <= spans[other][1]
        )
        place = 0
        for start, end in near:
            if place + sizes[name] <= start:
                break
            place = max(place, end)
        end = place + -(-sizes[name] // ALIGN) * ALIGN
        placed[name] = (place, end)
    places = {name: start for name, (start, _) in placed.items()}
    return places, max((end for _, end in placed.values()), default=0)
