"""Runs a command, and writes the peak of its resident memory to a file, in GB.

    python scripts/bench/peak.py FILE COMMAND …

A process of its own, as small as can be: Linux counts what the one that starts another has in use as that one's.
Exit status: the command's; 128 + n where signal n ended it.
"""

import os
import resource
import sys


def main() -> None:
    path, *command = sys.argv[1:]
    status = os.spawnvp(os.P_WAIT, command[0], command)
    with open(path, "w", encoding="ascii") as file:
        file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9))
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
