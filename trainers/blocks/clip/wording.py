"""How a dataset's classes are put into words: its templates, and sentences about single classes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter

from torch import Tensor

from ..errors import InputError
from ..keys import TEXT, Key, Rule
from .backbone import Backbone
from .class_names import first, is_readable, spoken
from .prompts import ensemble_of, readable, template_of
from .tokenizer import clip_tokenizer

BETWEEN = "|"  # templates in one key


@dataclass(frozen=True)
class Wording:
    """Templates of a run, (): those of its dataset, and sentences by class name, as `spoken` has it.

    The text feature of a class is the mean over templates; of one with sentences, the mean over these (CuPL, Pratt
    et al., ICCV 2023), and over the templates too where the run names some.
    """

    dataset: str = ""  # a name in the registry
    templates: tuple[str, ...] = ()
    sentences: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: "str | Wording") -> "Wording":
        """That of a dataset by its name."""
        return dataset if isinstance(dataset, Wording) else cls(dataset)

    @classmethod
    def configured(cls, dataset) -> "Wording":
        """By cfg.DATASET; raises InputError where its file of sentences cannot be used."""
        path = dataset.get("DESCRIPTIONS", "")  # another checkout's train.py may have no such key
        sentences = read_descriptions(Path(path)) if path else {}
        return cls(dataset.NAME, tuple(templates_in(dataset.get("TEMPLATE", ""))), sentences)

    @property
    def changed(self) -> bool:
        """Whether the run has templates or sentences in the place of its dataset's template."""
        return bool(self.templates or self.sentences)

    @property
    def own(self) -> list[str]:
        """The run's templates, or the dataset's one."""
        return list(self.templates) or [template_of(self.dataset)]

    @property
    def ensemble(self) -> list[str]:
        """Those that ZeroshotCLIP2 averages: CoOp's seven, with the run's in the place of the dataset's."""
        return [*ensemble_of("ImageNet"), *self.templates] if self.templates else ensemble_of(self.dataset)

    def features(self, backbone: Backbone, classnames: Sequence[str], ensemble: bool = False) -> Tensor:
        """L2-normalized text features (C, D) of the classes; `ensemble`: with ZeroshotCLIP2's templates."""
        templates = self.ensemble if ensemble else self.own
        found = [tuple(self.sentences.get(spoken(name), ())) for name in classnames]
        features, described = (
            backbone.text_features(classnames, templates),
            [row for row, some in enumerate(found) if some],
        )
        if described:
            beside = templates if ensemble or self.templates else []
            names = [classnames[row] for row in described]
            features[described] = backbone.features_of_sentences(names, [found[row] for row in described], beside)
        return features

    def texts_about(self, classnames: Sequence[str]) -> dict[int, list[str]]:
        """By row, of classes that have sentences: the run's templates with the name in them, then the sentences."""
        return {
            row: [*(template.format(readable(name)) for template in self.templates), *self.sentences[spoken(name)]]
            for row, name in enumerate(classnames)
            if spoken(name) in self.sentences
        }

    def tell(self, classnames: Sequence[str]) -> None:
        """Prints what is used; raises InputError where the sentences are of none of the classes."""
        if not self.sentences:
            return
        without = [name for name in classnames if spoken(name) not in self.sentences]
        if len(without) == len(classnames):
            raise InputError(
                f"DATASET.DESCRIPTIONS has sentences of none of the classes, which are {first(classnames)}; "
                f"it has them of {first(list(self.sentences))}."
            )
        print(f"Sentences describe {len(classnames) - len(without)} of {len(classnames)} classes")
        if without:
            print(f"Note: the template stands for the others: {first(without)}")


def templates_in(text: str) -> list[str]:
    """The templates of DATASET.TEMPLATE."""
    return [part.strip() for part in text.split(BETWEEN)] if text else []


def is_template(text: str) -> bool:
    """Whether a class name has one place in it, and nothing else has."""
    try:
        fields = [part[1:] for part in Formatter().parse(text) if part[1] is not None]
    except ValueError:
        return False
    return fields == [("", "", None)]


def read_descriptions(path: Path) -> dict[str, tuple[str, ...]]:
    """Sentences by class name, as `spoken` has it, of a JSON file in CuPL's form; raises InputError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise bad(path, f"it cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not isinstance(content, dict) or not content:
        raise bad(path, "it holds no classes")
    found = {}
    for name, sentences in content.items():
        texts = [sentences] if isinstance(sentences, str) else sentences
        if not (isinstance(texts, list) and texts and all(is_readable(text, clip_tokenizer()) for text in texts)):
            raise bad(path, f"what it has for {name!r} is no list of sentences that CLIP could read")
        found[spoken(name)] = tuple(texts)
    return found


def bad(path: Path, why: str) -> InputError:
    form = '{"jay": ["A jay is a small blue bird.", …], …}'
    return InputError(f"DATASET.DESCRIPTIONS is {path}, and {why}. It should be JSON: {form}")


KEYS = {
    "TEMPLATE": Key(
        "",
        Rule(
            lambda value: isinstance(value, str) and all(map(is_template, templates_in(value))),
            f'text with one {{}} for the class name, such as "a photo of a {{}}, a type of bird."; several with '
            f"{BETWEEN} between them",
        ),
        'the prompt of zero-shot classifiers, teachers and adapters; "": the dataset\'s; several are averaged',
    ),
    "DESCRIPTIONS": Key(
        "", TEXT, "JSON file with sentences by class name, as CuPL's; their mean stands for the template's feature"
    ),
}
