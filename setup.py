"""The packages that `pip install .` installs: trainers/ as `ship_dassl`, with compat/. All else is in pyproject.toml.

Nothing is installed under a top-level name of the checkout: `datasets` and `trainers` would shadow other packages.
"""

from tempfile import TemporaryDirectory

from setuptools import find_packages, setup

FOLDERS = {"ship_dassl": "trainers", "ship_dassl.compat": "compat"}
PARTS = [f"{package}.{name}" for package, folder in FOLDERS.items() for name in find_packages(folder)]

with TemporaryDirectory() as build:  # in the checkout, a module that is gone would be installed from the last build
    setup(
        packages=[*FOLDERS, *PARTS],
        package_dir=FOLDERS,
        options={"build": {"build_base": build}},
    )
