"""Runs a script and writes down every file that it opens: record_opens.py LIST SCRIPT [ARGUMENTS…]."""

import runpy
import sys


def main() -> None:
    opened = open(sys.argv[1], "w", encoding="utf-8")  # noqa: SIM115 - open until the process ends

    def hook(event: str, arguments: tuple) -> None:
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            name = arguments[0]
            opened.write((name if isinstance(name, str) else name.decode()) + "\n")
            opened.flush()

    sys.argv = sys.argv[2:]
    sys.path[0] = str(sys.argv[0]).rsplit("/", 1)[0]
    sys.addaudithook(hook)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
