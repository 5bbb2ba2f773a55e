"""Says so where the VAE's posterior has collapsed onto the prior, so that latents carry nothing of an image."""

NATS, EPOCHS = 0.01, 5  # a KL divergence below so much, for so many epochs in a row


class CollapseWatch:
    """Is told the KL divergence after each epoch of stage 1, and prints a note once."""

    def __init__(self) -> None:
        self.low, self.said = 0, False

    def epoch(self, kl: float) -> None:
        """`kl` in nats, the mean of the epoch."""
        self.low = self.low + 1 if kl < NATS else 0
        if self.low == EPOCHS and not self.said:
            self.said = True
            print(
                f"Note: the posterior has collapsed: its KL divergence was below {NATS} nats for {EPOCHS} epochs.\n"
                "So z says nothing of the image, and what is synthesized does not vary as images do.\n"
                "TRAINER.SHIP.FREE_BITS 0.05, or a TRAINER.SHIP.KL_WEIGHT of 0.01 or less, keeps information in z;\n"
                "TRAINER.SHIP.KL_ANNEAL delays the collapse."
            )
