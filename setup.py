"""Dependencies of SHIP for Dassl; `pip install .` installs them and no module.

The packages here run from the checkout, as CoOp's do: installed under their top-level names, `datasets` and
`trainers` would shadow other packages.
"""

from setuptools import setup

setup(
    name="ship-dassl",
    version="0.1.0",
    description="SHIP (SyntHesIzed Prompts, ICCV 2023) as a plugin for Dassl",
    license="MIT",
    python_requires=">=3.10",
    packages=[],
    py_modules=[],
    install_requires=[
        "torch>=2.6",
        "torchvision",
        "clip-anytorch>=2.6,<3",
        "packaging",
        "yacs",
        "filelock",
        "gdown>=5",
        "numpy",
        "pillow",
        "pyyaml",
        "requests",
        "scikit-learn",
        "scipy",
        "tabulate",
        "tensorboard",
        "tqdm",
    ],
    extras_require={
        "plots": ["matplotlib"],
        "sweep": ["submitit>=1.5"],
        "dev": ["cosmic-ray>=8.4", "pytest", "pytest-xdist", "hypothesis", "ruff", "matplotlib", "submitit>=1.5"],
    },
)
