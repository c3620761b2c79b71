"""Frames that come one by one, put into the image that a program reads step by step."""

from typing import Any

import numpy as np

from snncc.data.image_arrays import require_domain
from snncc.diagnostics import SnnccError
from snncc.execution import Images
from snncc.ir import TIME, Graph
from snncc.ir.encodings import frames_of


def no_frames_yet(graph: Graph) -> Images:
    """The image before its first frame: zeros, which nothing reads, for no step reads another's.

    Raises:
        SnnccError: SNN001 when the program reads one image at every step.
    """
    op = frames_of(graph)
    if TIME not in op.axes:
        raise SnnccError(
            "SNN001",
            "a stream without an image",
            why="the program reads one image at every step; no frames come one by one",
            help="start the stream with the image",
        )
    kind = next(node.type for node in graph.nodes if node.op is op)
    return np.zeros(op.shape, np.dtype(kind.dtype))


def put_frame(graph: Graph, image: Images, t: int, frame: Any) -> None:
    """Puts the frame of step t into an image.

    Args:
        graph: integer dialect.
        image: [*axes of the image]; changed.
        t: the step.
        frame: what enters then, of the image's type, [*axes of the image but time]; whole numbers
            in lists become that type.

    Raises:
        SnnccError: SNN016 for a frame of another type or shape, or with a number that the program
            does not take; the image is as it was.
    """
    op = frames_of(graph)
    axis = op.axes.index(TIME)
    axes = tuple(name for name in op.axes if name != TIME)
    shape = tuple(size for name, size in zip(op.axes, op.shape, strict=True) if name != TIME)
    wanted = f"step {t} takes a frame {image.dtype} {list(shape)} ({', '.join(axes)})"
    try:
        found = np.asarray(frame)
    except Exception as error:  # what turns itself into an array may raise any
        why = f"{type(error).__name__}: {error}"
        raise SnnccError("SNN016", wanted, why=why, help="give an array") from error
    held = np.iinfo(image.dtype)
    listed = isinstance(frame, list | tuple) and found.dtype.kind in "iu" and found.size > 0
    if listed and held.min <= found.min() and found.max() <= held.max:
        found = found.astype(image.dtype)
    if found.dtype != image.dtype or found.shape != shape:
        raise SnnccError(
            "SNN016",
            f"{wanted}, not {found.dtype} {list(found.shape)}",
            help=f"give whole numbers as they were counted, as {image.dtype} (`.astype`), in the "
            "order of these axes",
        )
    require_domain(found[None], axes, op.domain)
    np.moveaxis(image, axis, 0)[t] = found
