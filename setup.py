"""The packages that `pip install .` installs: trainers/ as `ship_dassl`. All else is declared in pyproject.toml.

Nothing is installed under a top-level name of the checkout: `datasets` and `trainers` would shadow other packages.
"""

from tempfile import TemporaryDirectory

from setuptools import find_packages, setup

PARTS = [f"ship_dassl.{name}" for name in find_packages("trainers")]

with TemporaryDirectory() as build:  # in the checkout, a module that is gone would be installed from the last build
    setup(
        packages=["ship_dassl", *PARTS],
        package_dir={"ship_dassl": "trainers"},
        options={"build": {"build_base": build}},
    )
