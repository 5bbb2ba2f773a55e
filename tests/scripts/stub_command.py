"""run.sh or compare.sh with stub_train.py for train.py: a training, a test of its model, another training.

python stub_command.py run|compare OUTPUT "OPTIONS OF THE FIRST TRAINING" [OPTION…]
"""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "scripts")]

from functools import partial  # noqa: E402

import compare  # noqa: E402
import run  # noqa: E402
from common.command import run_command  # noqa: E402
from common.warm import WarmProcess  # noqa: E402
from protocols import runs as protocol_runs  # noqa: E402

from tests.scripts.stub_runs import stub_run  # noqa: E402

name, output, options, *words = sys.argv[1:]
trained = stub_run(Path(output), "training", *options.split())
runs = [trained, stub_run(Path(output), "test", model=trained), stub_run(Path(output), "other")]
command, first = (run, ["coop", "base2new"]) if name == "run" else (compare, [])
protocol_runs.WarmProcess = partial(WarmProcess, modules=())  # the stub needs none
command.plan = lambda request: runs
command.announce = lambda runs, dry_run: True
run_command(lambda: command.main([*first, "shapes", "1", "--output", output, *words]), goes_on=True)
