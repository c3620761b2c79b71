"""Runs many bundles under Lava, importing it once: python lava_driver.py FOLDER...

Each folder holds `bundle/`, and `images.npy`; `out.npz` is written beside them. Each runs in a fork
of its own, as Lava keeps what was ever made in one process.
"""

import os
import runpy
import sys
import traceback
from pathlib import Path

import lava.magma.core.process.process
import lava.magma.core.run_configs  # noqa: F401  # before the forks: half a second each


def main() -> int:
    failed = []
    for folder in map(Path, sys.argv[1:]):
        child = os.fork()
        if child == 0:
            sys.argv = ["run.py", str(folder / "images.npy"), "-o", str(folder / "out.npz")]
            sys.argv.append("--record")
            try:
                runpy.run_path(str(folder / "bundle/run.py"), run_name="__main__")
            except SystemExit as end:
                os._exit(int(end.code or 0))
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        _, status = os.waitpid(child, 0)
        if status != 0:
            failed.append(folder.name)
    print("failed:", *failed, flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
