"""Where in the user's code a call comes from, and the how manyth it is there.

A stamp is the chain of Python frames from the model's call down to the operation: at each level the
place in the code, and how often this frame has come by it. Any loop counts alike: for, while,
comprehensions, generators, loops over layers. Modules need no names for that.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

_HERE = str(Path(__file__).resolve().parent)
Key = tuple[object, ...]


def called(model: Callable[[Any], Any], given: Any, steps: int) -> list[Any]:
    """What a model answers when it is called once for every step; this loop is counted too."""
    answers: list[Any] = []
    for _ in range(steps):
        answers.append(model(given))  # a comprehension may have no frame
    return answers


@dataclass(frozen=True)
class Stamp:
    """One execution of one call.

    Attributes:
        key: the places from the outermost frame inwards, and the operation's name.
        index: how often each frame came by its place before; as long as the chain of frames.
    """

    key: Key
    index: tuple[int, ...]


class Stamps:
    """Counts what passes by each place of each frame.

    Args:
        outermost: the code that calls the model; its frame and those around it are no part.
    """

    def __init__(self, outermost: CodeType) -> None:
        self._outermost = outermost
        self._counts: dict[tuple[int, int, str], int] = {}
        self._calls: dict[tuple[int, int, str, int], int] = {}
        self._alive: dict[int, FrameType] = {}  # a frame that ends would give its id to another

    def stamp(self, name: str) -> Stamp:
        """The stamp of an operation that runs now."""
        frames = self._frames()
        key: list[object] = []
        index: list[int] = []
        for at, frame in enumerate(frames):
            self._alive[id(frame)] = frame
            child = frames[at + 1] if at + 1 < len(frames) else None
            slot = (id(frame), frame.f_lasti, "" if child is not None else name)
            # One call is one execution, however many operations run inside, and one generator is
            # one, however often it is resumed.
            known = None if child is None else self._calls.get((*slot, id(child)))
            if known is None:
                known = self._counts.get(slot, 0)
                self._counts[slot] = known + 1
                if child is not None:
                    self._calls[*slot, id(child)] = known
            key.append((id(frame.f_code), frame.f_lasti))
            index.append(known)
        return Stamp((*key, name), tuple(index))

    def _frames(self) -> list[FrameType]:
        found: list[FrameType] = []
        frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        while frame is not None and frame.f_code is not self._outermost:
            if frame.f_code is called.__code__ or not frame.f_code.co_filename.startswith(_HERE):
                found.append(frame)
            frame = frame.f_back
        return found[::-1]
