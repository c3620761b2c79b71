"""Runs a program on one image a number of times, for `instructions`: PROGRAM IMAGES.npy TIMES."""

import sys
from pathlib import Path

import numpy as np

from snncc.artifact import load_program
from snncc.runtime.simulator import Simulator


def main() -> None:
    program, images, times = sys.argv[1:]
    simulator, image = Simulator(load_program(Path(program)).graph, 1), np.load(images)[:1]
    for _ in range(int(times)):
        simulator.run(image)


if __name__ == "__main__":
    main()
