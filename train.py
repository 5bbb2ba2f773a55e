"""Trains or evaluates one method on one dataset, with CoOp's arguments.

    python train.py --root data --seed 1 --trainer SHIP --dataset-config-file configs/datasets/shapes.yaml \\
        --config-file configs/trainers/SHIP/shapes.yaml --output-dir output/try \\
        DATASET.NUM_SHOTS 16 DATASET.SUBSAMPLE_CLASSES base

Input that is at fault ends in a message and exit status 2.
"""

import argparse
import sys
from collections.abc import Sequence

import compat


def fail(error: object) -> None:
    """Ends the program with a message for the user."""
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)


try:
    ENGINE = compat.ensure()  # makes dassl and clip importable, so it comes before all that follows
except compat.EngineError as error:
    fail(error)

import torch
from dassl.engine import build_trainer
from dassl.utils import collect_env_info, set_random_seed, setup_logger
from yacs.config import CfgNode

import datasets
from configuration import check, setup_cfg
from trainers.blocks.errors import InputError

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
    parser.add_argument("--config-file", default="", help="recipe: configs/trainers/<Trainer>/<recipe>.yaml")
    parser.add_argument("--dataset-config-file", default="", help="dataset: configs/datasets/<name>.yaml")
    parser.add_argument("--trainer", default="", help="name of the trainer")
    parser.add_argument("--backbone", default="", help="one of CLIP's names, or a checkpoint (MODEL.BACKBONE.NAME)")
    parser.add_argument("--head", default="", help="name of the head (MODEL.HEAD.NAME)")
    parser.add_argument("--eval-only", action="store_true", help="evaluate only")
    parser.add_argument("--model-dir", default="", help="with --eval-only: output folder of the run to evaluate")
    parser.add_argument("--load-epoch", type=int, help="with --model-dir: epoch of the checkpoint; default: newest")
    parser.add_argument("--no-train", action="store_true", help="do not train")
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs that change the configuration")
    return parser.parse_args(argv)


def print_args(args: argparse.Namespace, cfg: CfgNode) -> None:
    print("***************\n** Arguments **\n***************")
    for key, value in sorted(vars(args).items()):
        print(f"{key}: {value}")
    print("************\n** Config **\n************")
    print(cfg)


def run(args: argparse.Namespace) -> None:
    cfg = setup_cfg(args)
    check(cfg, args)
    if cfg.SEED >= 0:
        print(f"Setting fixed seed: {cfg.SEED}")
        set_random_seed(cfg.SEED)
    setup_logger(cfg.OUTPUT_DIR)
    if torch.cuda.is_available() and cfg.USE_CUDA:
        torch.backends.cudnn.benchmark = True

    print_args(args, cfg)
    print(f"Engine: {ENGINE}")
    print("Collecting env info ...")
    print(f"** System info **\n{collect_env_info()}\n")

    trainer = build_trainer(cfg)
    if args.eval_only:
        trainer.load_model(args.model_dir, epoch=args.load_epoch)
        trainer.test()
    elif not args.no_train:
        trainer.train()


def main(argv: Sequence[str] | None = None) -> None:
    try:
        run(parse_args(argv))
    except USER_ERRORS as error:
        # an error in a loader's worker process arrives with that process's traceback before its message
        fail(str(error).rsplit(f"{type(error).__name__}: ", 1)[-1].strip())
    except OSError as error:  # a disk that is full or read-only, a file in the place of a folder
        fail(f"{error.filename or 'A file'} cannot be read or written: {error.strerror or error}.")


if __name__ == "__main__":
    main()
