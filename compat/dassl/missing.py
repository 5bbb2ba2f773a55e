"""What Dassl has and this engine has not, and the error that says so."""

# Not pip alone: the setup.py of Dassl imports what it does not declare.
INSTALL_DASSL = "bash scripts/install_dassl.sh"

# By registry, so that asking for one of them is told apart from a misspelt name.
UPSTREAM_ONLY = {
    "TRAINER": """ADDA AdaBN CDAC CrossGrad DAEL DAELDG DANN DDAIG DomainMix EntMin FixMatch M3SDA MCD MME
        MeanTeacher MixMatch SE SourceOnly SupBaseline Vanilla""",
    "DATASET": """CIFAR10 CIFAR100 CIFAR10C CIFAR100C CIFARSTL Camelyon17 Digit5 DigitSingle DigitsDG DomainNet
        FMoW IWildCam Office31 OfficeHome OfficeHomeDG PACS STL10 SVHN VLCS VisDA17 miniDomainNet""",
    "SAMPLER": "RandomDomainSampler SeqDomainSampler",
    "TRANSFORM": "imagenet_policy cifar10_policy svhn_policy randaugment randaugment_fixmatch randaugment2",
    "ENGINE": "TrainerXU SimpleNet",
}


class MissingPartError(ImportError):
    """Raised for a part of Dassl that the built-in engine leaves out."""

    def __init__(self, part: str) -> None:
        super().__init__(f"{part} is not part of the built-in engine; install Dassl to use it: {INSTALL_DASSL}")


def refuse_upstream_only(kind: str, name: str) -> None:
    """Raise MissingPartError if `name` is a `kind` (a key of UPSTREAM_ONLY) that only Dassl itself has."""
    if name in UPSTREAM_ONLY.get(kind, "").split():
        raise MissingPartError(f"{kind.lower()} {name}")
