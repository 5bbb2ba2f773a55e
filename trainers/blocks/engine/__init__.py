"""What makes Dassl, and the engine that stands in for it, behave alike."""

try:
    from dassl.engine import TRAINER_REGISTRY
except ModuleNotFoundError as error:
    if error.name != "dassl":
        raise
    raise ImportError(
        "SHIP is a plugin for Dassl, which is not installed: pip install setuptools wheel wilds && "
        "pip install --no-deps --no-build-isolation git+https://github.com/KaiyangZhou/Dassl.pytorch"
    ) from None

__all__ = ["TRAINER_REGISTRY"]
