"""Zero-shot CLIP (Radford et al., ICML 2021), with one template or several. Importing this registers its trainer."""

from .blocks.training.trainers import trainer_of

ZeroshotCLIP, ZeroshotCLIP2 = trainer_of("ZeroshotCLIP"), trainer_of("ZeroshotCLIP2")
