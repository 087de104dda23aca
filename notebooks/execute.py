"""Execute notebooks reproducibly, in place: `python -m notebooks.execute`."""

import os
import sys
from pathlib import Path

import matplotlib.font_manager  # noqa: F401  # builds its cache here, or a notebook would log it
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent
_SECONDS = 900
_LANGUAGE = {"name": "python"}
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def execute(path: Path, folder: Path = FOLDER) -> NotebookNode:
    """Run all cells of a notebook in a folder and return it; a failing cell raises."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=_SECONDS,
        kernel_name="python3",
        record_timing=False,  # keeps times out of the metadata
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    notebook.metadata = NotebookNode(kernelspec=_KERNEL, language_info=_LANGUAGE)
    return notebook


def main(paths: list[Path]) -> None:
    """Execute notebooks in place; without paths, all of them."""
    # Otherwise two libraries with threads would both use all cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for path in paths or sorted(FOLDER.glob("*.ipynb")):
        sys.stderr.write(f"{path.name}\n")
        path.write_text(nbformat.writes(execute(path)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
