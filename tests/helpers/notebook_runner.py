"""Runs texts of Python as the cells of one notebook: a list in JSON in, outputs in JSON out.

A process of its own: a kernel is one more, and Jupyter's libraries warn of things of their own.
"""

import json
import sys

import nbformat
from nbclient import NotebookClient

LIMIT = 300
"""Seconds that a cell may take."""


def main() -> None:
    cells = [nbformat.v4.new_code_cell(text) for text in json.load(sys.stdin)]
    book = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(
        book, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": sys.argv[1]}}
    )
    client.execute()
    nbformat.validate(book)
    json.dump([cell.outputs for cell in book.cells], sys.stdout)


if __name__ == "__main__":
    main()
