"""What is at a path, for those that the system refuses to look at too.

In some versions of Python, `Path.exists` and the like raise for a name that is too long or a folder
without permission. Here such a path holds nothing: who opens it then gets the system's reason.
"""

import os
from pathlib import Path


def is_there(path: Path) -> bool:
    """Whether there is anything at a path that can be reached."""
    return os.path.exists(path)


def is_folder(path: Path) -> bool:
    """Whether there is a folder at a path that can be reached."""
    return os.path.isdir(path)


def is_file(path: Path) -> bool:
    """Whether there is a regular file at a path that can be reached."""
    return os.path.isfile(path)
