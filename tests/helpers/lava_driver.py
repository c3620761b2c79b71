"""Runs many bundles under Lava, importing it once: python lava_driver.py [--threads] FOLDER...

Each folder holds `bundle/`, and `images.npy`; `out.npz` is written beside them. Each runs in a fork
of its own, as Lava keeps what was ever made in one process. With `--threads` Lava's processes are
threads of that fork (`lava_threads`); without, they are Lava's own.
"""

import os
import runpy
import sys
import traceback
from pathlib import Path

import lava.magma.compiler.compiler
import lava.magma.core.process.process
import lava.magma.core.run_configs
import lava.magma.runtime.runtime
import lava.proc.dense.models
import lava.proc.io.source
import lava.proc.lif.models
import lava.proc.sparse.models  # noqa: F401  # all before the forks: a second each
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.sparse.process import DelaySparse, Sparse
from lava_threads import search_once_a_class, use_threads


def main() -> int:
    folders, failed = sys.argv[1:], []
    if folders[0] == "--threads":
        del folders[0]
        use_threads()
        search_once_a_class(Dense, DelayDense, Sparse, DelaySparse, LIF, LIFReset, Source, Sink)
    for folder in map(Path, folders):
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
