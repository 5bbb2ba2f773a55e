"""CoCoOp: Conditional Context Optimization (Zhou et al., CVPR 2022). Importing this registers its trainer."""

from .blocks.training.trainers import trainer_of

CoCoOp = trainer_of("CoCoOp")
