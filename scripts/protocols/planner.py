"""The protocols: which runs each of them takes.

base2new  train on the base classes, test on base and on new ones
gzsl      the same training; test with all classes competing
xd        train on DATASET; test on other datasets' classes. SHIP synthesizes for the names of a target's classes
dg        train on DATASET; test on the same classes elsewhere
fewshot   train and test on all classes, with 1, 2, 4, 8 and 16 shots
longtail  the same, with training images by class from 16 to none; SHIP synthesizes for the names of those without
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from .backbones import Backbone
from .layout import test_folder, train_folder
from .methods import Method
from .request import Request
from .runs import SOURCE, Run

SHARE_WITHOUT_IMAGES = ("DATASET.LONGTAIL", "0.3")  # of the classes, where the user names no other


class Planner:
    """The runs that a protocol takes of one method with one seed on one dataset, under one backbone."""

    def __init__(
        self, request: Request, method: Method, dataset: str, seed: int, backbone: Backbone | None = None
    ) -> None:
        self.request, self.method, self.dataset, self.seed = request, method, dataset, seed
        self.backbone = backbone  # None: the recipes' own

    def runs(self) -> Iterator[Run]:
        return getattr(self, self.request.protocol)()

    def base2new(self) -> Iterator[Run]:
        yield from self.split_classes(("base", "new") if self.method.new_classes else ("base",))

    def gzsl(self) -> Iterator[Run]:
        if self.method.new_classes:
            yield from self.split_classes(("base", "all"))

    def split_classes(self, parts: Sequence[str]) -> Iterator[Run]:
        trained = self.training("base", self.request.shots[0])
        yield trained
        for part in parts[1:]:
            yield self.test(trained, part, self.dataset, part)

    def fewshot(self) -> Iterator[Run]:
        for shots in self.request.shots if self.method.trains else (0,):
            yield self.training("all", shots)

    def longtail(self) -> Iterator[Run]:
        if self.method.new_classes:
            run = self.training("all", self.request.shots[0])
            given = SHARE_WITHOUT_IMAGES[0] in run.pairs[::2]
            yield run if given else replace(run, pairs=(*SHARE_WITHOUT_IMAGES, *run.pairs))

    def dg(self) -> Iterator[Run]:
        trained = self.training("all", self.request.shots[0])
        yield trained
        for target in self.request.targets:
            yield self.test(trained, "target", target, "all")

    def xd(self) -> Iterator[Run]:
        trained = self.training("all", self.request.shots[0])
        yield trained
        for target in self.request.targets if self.method.new_classes else ():
            test = self.test(trained, "target", target, "all")
            source = (SOURCE, str(trained.folder))
            yield replace(test, trains=True, pairs=(*source, *test.pairs)) if self.method.synthesizes else test

    def training(self, classes: str, shots: int) -> Run:
        request, label = self.request, self.request.label(self.dataset)
        recipe = self.method.recipe(request.protocol, self.dataset, shots).under(self.backbone)
        place = (label, shots, self.method.trainer, recipe.name, self.seed)
        folder = train_folder(request.output, request.protocol, *place)
        own_pair = self.backbone.pairs if self.backbone else ()
        settings = {"data": request.data, "pairs": (*own_pair, *request.pairs)}
        return Run(self.method, recipe, self.dataset, classes, shots, self.seed, folder, **settings)

    def test(self, trained: Run, part: str, dataset: str, classes: str) -> Run:
        place = (self.request.label(dataset), trained.shots, self.method.trainer, trained.recipe.name, self.seed)
        folder = test_folder(self.request.output, part, *place)
        return replace(trained, dataset=dataset, classes=classes, folder=folder, trains=False, model=trained)


def plan(request: Request) -> list[Run]:
    """All runs, each once: methods may share the training that another protocol's test is of."""
    runs: dict = {}
    for dataset in request.datasets:
        for backbone in request.backbones or (request.backbone_of_pairs,):
            for method in request.methods:
                for seed in request.seeds:
                    for run in Planner(request, method, dataset, seed, backbone).runs():
                        runs.setdefault(run.folder, run)
    return list(runs.values())
