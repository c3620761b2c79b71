"""Labels of images that a command is given."""

from typing import Any

from snncc.data.files import read_labels
from snncc.data.image_folder import ImageFolder
from snncc.data.specs import beside

FOLDERS = "folders"
"""Given as labels: the class folders of image files."""


def read_all_labels(spec: str, given: Any, data: str, classes: int | None = None) -> Any:
    """One class for each image, int64 [n]: from a key, a file, or the folders of image files.

    Args:
        spec: what the user gave; `folders` for the class folders of `given`.
        given: the images, an array or an `ImageFolder`.
        data: where they came from; a bare key is one of the same file.
        classes: of the program; None where it is not known yet: for class folders the result is
            then a function of it.

    Raises:
        SnnccError: SNN001, SNN015 or SNN016 when there are none there, or they are no labels.
    """
    if spec == FOLDERS and isinstance(given, ImageFolder):
        return given.labels if classes is None else given.labels(classes)
    return read_labels(spec, data)


def place_of_labels(spec: str, given: Any, data: str) -> str:
    """Where labels come from, for messages; the arguments are those of `read_all_labels`."""
    if spec == FOLDERS and isinstance(given, ImageFolder):
        return f"the folders of {data}"
    return beside(spec, data)
