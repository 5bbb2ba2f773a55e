"""Tip-Adapter and Tip-Adapter-F (Zhang et al., ECCV 2022). Importing this registers its trainer."""

from .blocks.training.trainers import trainer_of

TipAdapter, TipAdapterF = trainer_of("TipAdapter"), trainer_of("TipAdapterF")
