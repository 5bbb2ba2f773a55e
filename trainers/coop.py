"""CoOp: Context Optimization (Zhou et al., IJCV 2022). Importing this registers its trainer."""

from .blocks.training.trainers import trainer_of

CoOp = trainer_of("CoOp")
