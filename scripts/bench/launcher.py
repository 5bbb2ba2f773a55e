"""Runs a command, and writes to a file the peak of its resident memory, GB, and the processor's seconds.

    python scripts/bench/launcher.py FILE COMMAND …

A process of its own, as small as can be: Linux counts what the one that starts another has in use as that one's.
Exit status: the command's; 128 + n where signal n ended it.
"""

import os
import resource
import sys


def main() -> None:
    path, *command = sys.argv[1:]
    status = os.spawnvp(os.P_WAIT, command[0], command)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(path, "w", encoding="ascii") as file:
        print(used.ru_maxrss * 1024 / 1e9, used.ru_utime + used.ru_stime, file=file)
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
