"""`program.report`: the facts of a compilation, and, called, a page with pictures."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from snncc import artifact
from snncc.api.arguments import Images, classes_of, in_words_of_python
from snncc.api.checks import flag, path_of, text, whole, wrong
from snncc.artifact.kinds import EMPTY, kind_of
from snncc.data.labels import require_known_classes, require_label_each
from snncc.data.specs import check_no_key
from snncc.diagnostics import SnnccError
from snncc.runtime.answers import class_axis, predictions_of

if TYPE_CHECKING:
    from snncc.api.programs import Program

WIDEST_REGISTER = 64


class Report(dict[str, Any]):
    """Facts in JSON form: the network, options, what was folded where, fidelity.

    Called with a path, it writes them and more as one HTML page with pictures.
    """

    def __init__(
        self, facts: Mapping[str, Any], program: artifact.Program, images: Callable[[Images], Any]
    ) -> None:
        super().__init__(facts)
        self._program, self._images = program, images

    def __call__(
        self,
        path: str | Path,
        images: Images | None = None,
        *,
        labels: Any = None,
        reference: Any = None,
        beside: "str | Path | Program | None" = None,
        layers: Collection[str] = (),
        detail: int = 32,
        register: int = 16,
        profile: bool = False,
        threads: int | None = None,
    ) -> None:
        """Writes a page that loads nothing; without images it shows the program alone.

        Args:
            path: of the page, `.html`; equal arguments give equal bytes, but for `profile`.
            images: as `Program.run` takes them.
            labels: integers [n], for the accuracy and the confusion matrix.
            reference: logits of the original network, [n, classes].
            beside: another execution of the same images: the path of a recording (.npz) or of a
                program, or a program.
            layers: populations whose rasters are shown; by default the first, the middle, the last.
            detail: how many images are looked at neuron by neuron.
            register: bits of the line that widths are held against.
            profile: whether layers are timed.
            threads: of the simulator; None for as many as the machine gives.

        Raises:
            SnnccError: SNN050 without `pip install 'snncc[report]'`, SNN001 for an argument that
                there is not, SNN002 when the page cannot be written, SNN015 or SNN016 for images
                and recordings that cannot be read or do not fit.
        """
        from snncc.report.extras import require_libraries
        from snncc.report.gather import gather
        from snncc.report.page.rendering import write_report

        target = _target(path)
        with in_words_of_python():
            require_libraries()
            given = _given(
                self._program,
                None if images is None else self._images(images),
                {"labels": labels, "reference": reference, "beside": beside},
                layers=_names(layers),
                detail=_at_least("detail", detail, 1),
                register=_at_least("register", register, 2, WIDEST_REGISTER),
                profile=flag("profile", profile),
                threads=None if threads is None else _at_least("threads", threads, 1),
            )
            write_report(target, gather(self._program, given))


def _target(path: str | Path) -> Path:
    target = path_of("path", path)
    check_no_key("path", target)
    kind = kind_of(target)
    if kind not in ("", EMPTY):
        raise SnnccError(
            "SNN002",
            f"{path} is not replaced",
            why=f"it is {kind}, and would be lost",
            help="give another path, such as report.html",
        )
    return target


def _given(program: artifact.Program, images: Any, told: Mapping[str, Any], **options: Any) -> Any:
    from snncc.report.gather import Given

    if images is None:
        for name in (n for n, value in told.items() if value is not None):
            raise wrong(name, told[name], "give images too", "it is about their answers")
        return Given(**options)
    shape = program.graph[program.graph.output].type.shape
    labels, logits = told["labels"], told["reference"]
    if labels is not None or logits is not None:
        class_axis(shape)
    classes = max(shape, default=1)
    truth = None if labels is None else classes_of(labels)
    if truth is not None:
        require_label_each(truth, len(images))
        require_known_classes(truth, classes, "program")
    original = None if logits is None else _answers(logits, len(images), classes)
    other = _other(told["beside"], program)
    return Given(images=images, labels=truth, original=original, other=other, **options)


def _answers(logits: Any, count: int, classes: int) -> Any:
    """The class of every image by the original network."""
    try:
        array = np.asarray(logits)
    except Exception as error:  # what turns itself into an array may raise any
        raise wrong("reference", logits, "give logits, [n, classes]") from error
    fits = array.shape == (count, classes) and array.dtype.kind == "f"
    if not fits or not np.isfinite(array).all():
        why = f"it is {array.dtype} {list(array.shape)}"
        help_ = f"give finite floats, [{count}, {classes}]"
        raise SnnccError("SNN016", "reference holds no logits of these images", why=why, help=help_)
    return predictions_of(array)


def _other(given: Any, own: artifact.Program) -> Any:
    from snncc.api.programs import Program
    from snncc.report.beside import other_of, running

    if given is None:
        return None
    if isinstance(given, Program):
        name = f"another program, digest {given.digest[:12]}"
        return running(name, artifact.Program(given.graph, {}))
    return other_of(path_of("beside", given), own)


def _names(given: object) -> tuple[str, ...]:
    value: Any = given
    if isinstance(value, str) or not isinstance(value, Collection):
        raise wrong("layers", given, "give a collection of names, such as ('layer',)")
    return tuple(text("layers", each) for each in cast("Collection[object]", given))


def _at_least(name: str, given: object, least: int, most: int | None = None) -> int:
    number = whole(name, given)
    if number < least or (most is not None and number > most):
        span = f"at least {least}" if most is None else f"{least} to {most}"
        raise wrong(name, given, f"give {span}")
    return number
