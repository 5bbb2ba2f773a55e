"""Which files are opened: by this process for a while, or by a script.

record_opens.py LIST SCRIPT [ARGUMENTS…]     runs the script and writes every file that it opens down in LIST
"""

import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def on_open(note: Callable[[str], object]) -> None:
    """Tells `note` of every file that this process opens from now on; a hook cannot be taken away again."""

    def hook(event: str, arguments: tuple) -> None:
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            name = arguments[0]
            note(name if isinstance(name, str) else name.decode())

    sys.addaudithook(hook)


@contextmanager
def recorded() -> Iterator[set[str]]:
    """Every file that this process opens meanwhile."""
    opened: set[str] = set()
    watching = [opened]
    on_open(lambda name: [files.add(name) for files in watching])
    try:
        yield opened
    finally:
        watching.clear()


def main() -> None:
    opened = open(sys.argv[1], "w", encoding="utf-8")  # noqa: SIM115 - open until the process ends

    def note(name: str) -> None:
        opened.write(f"{name}\n")
        opened.flush()

    sys.argv = sys.argv[2:]
    sys.path[0] = str(sys.argv[0]).rsplit("/", 1)[0]
    on_open(note)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
