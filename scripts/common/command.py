"""How every command runs: lines leave as they are printed; no traceback ends it after Ctrl-C or before `| head`."""

from __future__ import annotations  # for the doctor, which an old Python can run

import os
import sys
from collections.abc import Callable

from .stopping import Stopped, handled, stop

NO_READER = 141  # 128 + SIGPIPE, as shells report it


def run_command(main: Callable[[], None], goes_on: bool = False) -> None:
    """Runs `main`, which may end the program itself; `goes_on`: what is stopped need not be done again."""
    sys.stdout.reconfigure(line_buffering=True)  # in a pipe, lines keep their place among those of train.py
    try:
        try:
            with handled(stop):
                main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # of `… | head`, say: what is left goes nowhere, or Python would complain at the end
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        sys.exit(NO_READER)
    except Stopped as stopped:
        if not stopped.told:
            what_next = "; the same command goes on" if goes_on else ""
            print(f"stopped by {stopped.name}{what_next}", file=sys.stderr)
        sys.exit(stopped.code)
