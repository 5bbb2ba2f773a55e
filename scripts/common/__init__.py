"""What all commands share: their arguments, how they end on bad input. No PyTorch.

Importing this makes the checkout's packages importable, of which trainers.blocks.errors and trainers.blocks.run.files
need the standard library alone.
"""

import sys
from pathlib import Path

if (checkout := str(Path(__file__).resolve().parents[2])) not in sys.path:
    sys.path.insert(0, checkout)
