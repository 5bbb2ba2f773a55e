"""The few-shot methods, one file each: a file in this folder is a method that is known everywhere."""

import importlib
import pkgutil

from .base import FAMILIES, METHODS, FeatureClassifier

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")

for name in sorted(METHODS, key=lambda name: (FAMILIES.index(METHODS[name].family), METHODS[name].year)):
    METHODS[name] = METHODS.pop(name)  # by family and year, which is the order of choices and of docs

__all__ = ["METHODS", "FeatureClassifier"]
