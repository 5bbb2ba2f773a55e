"""Trains or evaluates one method on one dataset, with CoOp's arguments.

    python train.py --root data --seed 1 --trainer SHIP --dataset-config-file configs/datasets/shapes.yaml \\
        --config-file configs/trainers/SHIP/shapes.yaml --output-dir output/try \\
        DATASET.NUM_SHOTS 16 DATASET.SUBSAMPLE_CLASSES base

Killed, it goes on from the last epoch when it is started again; where it is complete, it prints its result.

Exit status: 0; 2 and a message for input that is at fault, an output folder that is in use or holds another run, and
files that cannot be written; 3 where the loss is not finite; 130 and 143 where SIGINT and SIGTERM stopped it.
"""

import argparse
import contextlib
import errno
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence

import compat


def fail(error: object, status: int = 2) -> None:
    """Ends the program with a message for the user, which is in the log too."""
    print(f"error: {error}", file=sys.stderr)
    write_log(f"error: {error}\n")
    sys.exit(status)


def write_log(text: str) -> None:
    """Adds to the log what does not go to standard output, where there is a log."""
    log = getattr(sys.stdout, "file", None)
    if log and not log.closed:
        with contextlib.suppress(OSError):
            log.write(text)
            log.flush()


if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until main listens, Ctrl-C ends it without a traceback of imports

try:
    ENGINE = compat.ensure()  # makes dassl and clip importable, so it comes before all that follows
except compat.EngineError as error:
    fail(error)

import torch
from dassl.engine import build_trainer
from dassl.utils import set_random_seed
from yacs.config import CfgNode

import datasets
from compat.dassl.utils.logger import setup_logger  # on Dassl too, whose log a killed run leaves empty
from configuration import check, default_cfg, setup_cfg
from trainers.blocks.errors import InputError
from trainers.blocks.run import folder as run_folder
from trainers.blocks.run.files import cannot_write
from trainers.blocks.run.interruption import Stopped, StopSignals
from trainers.blocks.run.memory import is_out_of_memory, out_of_memory
from trainers.blocks.run.opening import opening
from trainers.blocks.run.results import EVALUATION, TRAINING, write_config
from trainers.blocks.run.sources import sources_of
from trainers.blocks.run.warnings_once import warnings_once

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
USER_ERRORS = (InputError, datasets.DatasetError, *compat.input_errors())


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="train.py", description="Train or evaluate one method on one dataset.", epilog=f"Engine: {ENGINE}"
    )
    parser.add_argument("--root", default="", help="folder that holds the datasets (DATASET.ROOT)")
    parser.add_argument("--output-dir", default="", help="folder for log, checkpoints and results.json")
    parser.add_argument("--resume", default="", help="output folder of the run to go on with")
    parser.add_argument("--seed", type=int, default=-1, help="a positive value makes the run repeatable")
    parser.add_argument("--source-domains", nargs="+", help="source domains, for datasets that have them")
    parser.add_argument("--target-domains", nargs="+", help="target domains, for datasets that have them")
    parser.add_argument("--transforms", nargs="+", help="augmentation of training images (INPUT.TRANSFORMS)")
    recipe = "recipe: configs/trainers/<Trainer>/<recipe>.yaml; given again, the later one comes on top"
    parser.add_argument("--config-file", action="append", default=[], help=recipe)
    parser.add_argument("--dataset-config-file", default="", help="dataset: configs/datasets/<name>.yaml")
    parser.add_argument("--trainer", default="", help="name of the trainer")
    parser.add_argument("--backbone", default="", help="MODEL.BACKBONE.NAME, see docs/backbones.md")
    parser.add_argument("--head", default="", help="name of the head (MODEL.HEAD.NAME)")
    parser.add_argument("--eval-only", action="store_true", help="evaluate only")
    parser.add_argument("--model-dir", default="", help="with --eval-only: output folder of the run to evaluate")
    parser.add_argument("--load-epoch", type=int, help="with --model-dir: epoch of the checkpoint; default: newest")
    parser.add_argument("--force", action="store_true", help="start over in an output folder that holds a run")
    parser.add_argument("--deterministic", action="store_true", help="deterministic algorithms, on GPUs too; slower")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor store image features on disk")
    parser.add_argument("--no-train", action="store_true", help="do not train")
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs that change the configuration")
    return parser.parse_args(argv)


def be_deterministic() -> None:
    """Has PyTorch use algorithms that give the same figures every time, or stop where it has none."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it starts
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False


def trains(args: argparse.Namespace, cfg: CfgNode) -> bool:
    return not (args.eval_only or args.no_train or cfg.TRAINER.NAME.startswith("ZeroshotCLIP"))


def run(args: argparse.Namespace) -> None:
    """Does what the command asks for, unless the output folder has it already."""
    cfg = setup_cfg(args)
    check(cfg, args)
    mode = TRAINING if trains(args, cfg) else EVALUATION
    model = args.model_dir if args.eval_only else ""
    requested = run_folder.RequestedRun(cfg, default_cfg(), mode, model, args.load_epoch, sources_of(cfg))
    with run_folder.locked(cfg.OUTPUT_DIR), warnings_once():
        if args.force:
            run_folder.start_over(cfg.OUTPUT_DIR, needed=(args.model_dir, cfg.RESUME, cfg.TRAINER.SHIP.SOURCE))
        record = None if args.no_train else run_folder.complete_record(requested)
        if record:
            print(run_folder.summary(record))
        else:
            execute(args, cfg, requested)


def execute(args: argparse.Namespace, cfg: CfgNode, requested: run_folder.RequestedRun) -> None:
    """Trains or evaluates."""
    if cfg.SEED >= 0:
        set_random_seed(cfg.SEED)
    setup_logger(cfg.OUTPUT_DIR)
    if args.deterministic:
        be_deterministic()

    print(opening(requested, ENGINE))
    write_config(cfg, cfg.OUTPUT_DIR)

    trainer = build_trainer(cfg)
    if args.eval_only:
        trainer.load_model(args.model_dir, epoch=args.load_epoch)
        trainer.test()
    elif not args.no_train:
        trainer.train()


def main(argv: Sequence[str] | None = None) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # in a pipe or a file, lines would wait for others
    try:
        with StopSignals():
            run(parse_args(argv))
    except Stopped as stopped:
        stopped.tell("starts it again")
        raise
    except USER_ERRORS as error:
        # an error in a loader's worker process arrives with that process's traceback before its message
        fail(str(error).rsplit(f"{type(error).__name__}: ", 1)[-1].strip())
    except FloatingPointError as error:
        fail(error, status=3)
    except OSError as error:
        if is_out_of_memory(error):
            fail(out_of_memory(error, "this run", {}))
        if error.errno in UNWRITABLE:
            fail(cannot_write(error.filename or "a file", error))
        fail(f"{error.filename or 'A file'} cannot be read or written: {error.strerror or error}.")
    except Exception as error:
        if is_out_of_memory(error):
            fail(out_of_memory(error, "this run", {}))
        write_log(traceback.format_exc())
        raise


if __name__ == "__main__":
    main()
