"""CLIP-Adapter (Gao et al., IJCV 2024). Importing this registers its trainer."""

from .blocks.training.trainers import trainer_of

CLIPAdapter = trainer_of("CLIPAdapter")
