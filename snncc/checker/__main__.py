"""Checks a certificate: python -m snncc.checker PROGRAM.snncc CERTIFICATE.json."""

import sys
from pathlib import Path

from snncc.checker.certificate import check
from snncc.checker.program_file import Rejected


def main(arguments: list[str]) -> int:
    """Prints one line. 0: the certificate holds; 1: it does not; 2: usage; 3: no such file."""
    if len(arguments) != 2:
        print("usage: python -m snncc.checker PROGRAM.snncc CERTIFICATE.json", file=sys.stderr)
        return 2
    try:
        held = check(*(Path(argument).read_bytes() for argument in arguments))
    except OSError as error:
        print(error, file=sys.stderr)
        return 3
    except Rejected as reason:
        print(f"rejected: {reason}")
        return 1
    print(f"accepted: level {held['level']}, {len(held['nodes'])} nodes, {held['program']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
