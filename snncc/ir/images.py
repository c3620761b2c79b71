"""Images by index: an array in memory, or files that are read when they are asked for."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class ImageSource(Protocol):
    """Images in order; a uint8 array [n, *axes of the image] is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice | NDArray[np.intp], /) -> NDArray[np.uint8]:
        """The chosen images, [chosen, *axes of the image]."""
        ...
