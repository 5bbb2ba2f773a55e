"""A minimal imitation of a CoOp checkout's train.py, with the two lines that add SHIP."""

import argparse

from dassl.config import get_cfg_default
from dassl.engine import TRAINER_REGISTRY, build_trainer
from dassl.utils import set_random_seed, setup_logger
from yacs.config import CfgNode

import datasets.oxford_pets  # noqa: F401 - registers it
import trainers.coop
import trainers.ship


def extend_cfg(cfg):
    cfg.TRAINER.COOP = CfgNode()
    cfg.TRAINER.COOP.N_CTX = 16
    cfg.TRAINER.COOP.CSC = False
    cfg.TRAINER.COOP.CTX_INIT = ""
    cfg.TRAINER.COOP.PREC = "fp16"
    cfg.TRAINER.COOP.CLASS_TOKEN_POSITION = "end"
    cfg.DATASET.SUBSAMPLE_CLASSES = "all"
    trainers.ship.extend_cfg(cfg)


def main():
    parser = argparse.ArgumentParser()
    for option in ("root", "output-dir", "config-file", "dataset-config-file", "trainer", "model-dir"):
        parser.add_argument(f"--{option}", default="")
    parser.add_argument("--seed", type=int, default=-1)
    parser.add_argument("--eval-only", action="store_true")
    parser.add_argument("opts", nargs=argparse.REMAINDER)
    args = parser.parse_args()

    cfg = get_cfg_default()
    extend_cfg(cfg)
    cfg.merge_from_file(args.dataset_config_file)
    cfg.merge_from_file(args.config_file)
    cfg.DATASET.ROOT, cfg.OUTPUT_DIR, cfg.TRAINER.NAME = args.root, args.output_dir, args.trainer
    cfg.SEED = args.seed
    cfg.merge_from_list(args.opts)
    cfg.freeze()
    set_random_seed(cfg.SEED)
    setup_logger(cfg.OUTPUT_DIR)
    print(f"trainers: {sorted(TRAINER_REGISTRY.registered_names())}")
    trainer = build_trainer(cfg)
    if args.eval_only:
        trainer.load_model(args.model_dir)
        trainer.test()
    else:
        trainer.train()


if __name__ == "__main__":
    main()
