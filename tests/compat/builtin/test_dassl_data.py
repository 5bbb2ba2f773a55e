"""Data, few-shot sampling, samplers, loaders and the data manager."""

import pickle
import random
import zipfile

import pytest
import torch
from dassl.data import DataManager, DatasetWrapper
from dassl.data.data_manager import build_data_loader
from dassl.data.datasets import DatasetBase, Datum, build_dataset
from dassl.data.samplers import RandomClassSampler
from dassl.missing import MissingPartError
from dassl.utils import UnavailableError, set_random_seed

from trainers.blocks.engine.images import ImageError

CLASSES = ("abyssinian", "bengal", "birman", "bombay", "beagle", "boxer")


def pets(numbers):
    """The images of these numbers of the golden OxfordPets tree, which sampling opens none of."""
    return [Datum(f"{name}_{i}.jpg", label) for label, name in enumerate(CLASSES) for i in numbers]


def test_datum_is_read_only():
    datum = Datum("a.jpg", 3, classname="cat")
    assert (datum.impath, datum.label, datum.domain, datum.classname) == ("a.jpg", 3, 0, "cat")
    with pytest.raises(AttributeError):
        datum.label = 4
    with pytest.raises(TypeError, match="impath"):
        Datum(None)


def test_datum_is_pickled_by_dassls_name_and_attributes():
    datum = pickle.loads(pickle.dumps(Datum("a.jpg", 3, 1, "cat")))
    assert vars(datum) == {"_impath": "a.jpg", "_label": 3, "_domain": 1, "_classname": "cat"}
    assert type(datum).__module__ == "dassl.data.datasets.base_dataset"


def test_classes_are_those_of_train_x():
    dataset = DatasetBase(train_x=[Datum("b", 2, classname="cat"), Datum("a", 0, classname="dog")])
    assert dataset.num_classes == 3
    assert dataset.lab2cname == {0: "dog", 2: "cat"}
    assert dataset.classnames == ["dog", "cat"]


@pytest.mark.parametrize("shots", [1, 4, 16])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fewshot_samples_are_dassls(shots, seed, facts):
    set_random_seed(seed)
    dataset = DatasetBase()
    train = dataset.generate_fewshot_dataset(pets(range(6)), num_shots=shots)
    val = dataset.generate_fewshot_dataset(pets(range(6, 8)), num_shots=min(shots, 4))
    expected = facts[f"fewshot/shots{shots}/seed{seed}"]
    assert [item.impath for item in train] == expected["train"]
    assert [item.impath for item in val] == expected["val"]


def test_fewshot_announces_once_and_keeps_several_sources_apart(capsys):
    train, val = DatasetBase().generate_fewshot_dataset(pets(range(6)), pets([6]), num_shots=2)
    assert (len(train), len(val)) == (12, 6)
    assert capsys.readouterr().out == "Creating a 2-shot dataset\n"


def test_fewshot_repeats_where_asked():
    items = DatasetBase().generate_fewshot_dataset(pets([0]), num_shots=3, repeat=True)
    assert [item.label for item in items] == [label for label in range(6) for _ in range(3)]


def test_less_than_one_shot_is_all():
    source = pets([0])
    assert DatasetBase().generate_fewshot_dataset(source, num_shots=-1) is source


def test_items_are_split_by_domain():
    items = [Datum("a", domain=1), Datum("b", domain=0), Datum("c", domain=1)]
    assert DatasetBase().split_dataset_by_domain(items) == {1: [items[0], items[2]], 0: [items[1]]}


def test_unknown_domain_is_an_error():
    dataset = DatasetBase()
    dataset.domains = ["photo", "sketch"]
    dataset.check_input_domains(["photo"], ["sketch"])
    with pytest.raises(UnavailableError, match="sketch"):
        dataset.check_input_domains(["photo"], ["sketc"])


def test_downloaded_archive_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "there.zip", "w") as archive:
        archive.writestr("images/a.txt", "a")
    url = (tmp_path / "there.zip").as_uri()
    DatasetBase().download_data(url, tmp_path / "data" / "here.zip", from_gdrive=False)
    assert (tmp_path / "data" / "images" / "a.txt").read_text() == "a"


def test_unknown_dataset_is_an_error(cfg):
    cfg.DATASET.NAME = "TinyColors"
    with pytest.raises(UnavailableError, match="Did you mean 'TinyColours'"):
        build_dataset(cfg)
    cfg.DATASET.NAME = "PACS"
    with pytest.raises(MissingPartError, match="dataset PACS .* bash scripts.install_dassl.sh"):
        build_dataset(cfg)


def test_data_manager_builds_loaders_and_prints_the_table(cfg, capsys):
    manager = DataManager(cfg)
    printed = capsys.readouterr().out
    assert printed.startswith("Loading dataset: TinyColours\nBuilding transform_train\n+ resize to 8x8\n")
    assert printed.endswith(
        "---------  -----------\nDataset    TinyColours\n# classes  3\n# train_x  12\n# val      3\n# test     6\n"
        "---------  -----------\n"
    )
    assert (manager.num_classes, manager.num_source_domains) == (3, 0)
    assert manager.lab2cname == {0: "red", 1: "green", 2: "blue"}
    assert (len(manager.train_loader_x), len(manager.val_loader), len(manager.test_loader)) == (3, 1, 1)
    assert manager.train_loader_u is None
    batch = next(iter(manager.test_loader))
    assert batch["img"].shape == (6, 3, 8, 8)
    assert batch["label"].tolist() == [0, 0, 1, 1, 2, 2]
    assert batch["index"].tolist() == list(range(6))


def test_shuffling_is_torchs(cfg):
    loader = DataManager(cfg).train_loader_x
    torch.manual_seed(5)
    order = [index for batch in loader for index in batch["index"].tolist()]
    torch.manual_seed(5)
    torch.empty((), dtype=torch.int64).random_()  # the loader's seed for its workers comes first
    generator = torch.Generator()
    generator.manual_seed(int(torch.empty((), dtype=torch.int64).random_()))
    assert order == torch.randperm(12, generator=generator).tolist()


@pytest.mark.parametrize(("batch_size", "batches"), [(5, 2), (12, 1), (20, 1)])
def test_last_incomplete_batch_is_dropped_unless_it_is_the_only_one(cfg, batch_size, batches):
    cfg.DATALOADER.TRAIN_X.BATCH_SIZE = batch_size
    assert len(list(DataManager(cfg).train_loader_x)) == batches


def test_custom_transforms_and_wrapper_are_used(cfg, capsys):
    class Wrapper(DatasetWrapper):
        def __getitem__(self, index):
            return super().__getitem__(index)["img"]

    manager = DataManager(
        cfg, custom_tfm_train=lambda image: 1, custom_tfm_test=lambda image: 2, dataset_wrapper=Wrapper
    )
    assert next(iter(manager.train_loader_x)).tolist() == [1] * 4
    assert next(iter(manager.test_loader)).tolist() == [2] * 6
    assert "* Using custom transform for training\n* Using custom transform for testing" in capsys.readouterr().out


def test_items_hold_as_many_views_as_asked(cfg):
    items = build_dataset(cfg).train_x
    cfg.DATALOADER.K_TRANSFORMS = 2
    cfg.DATALOADER.RETURN_IMG0 = True
    item = DatasetWrapper(cfg, items, transform=[lambda image: 1, lambda image: 2], is_train=True)[0]
    assert (item["img"], item["img2"]) == ([1, 1], [2, 2])
    assert item["img0"].shape == (3, 8, 8)
    assert set(item) == {"label", "domain", "impath", "index", "img", "img2", "img0"}
    assert DatasetWrapper(cfg, items)[0]["img"].size == (8, 8)
    with pytest.raises(ValueError, match="K_TRANSFORMS"):
        DatasetWrapper(cfg, items, is_train=True)


@pytest.mark.parametrize("workers", [0, 1])
def test_broken_image_is_an_error_that_names_it(cfg, tmp_path, workers):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    cfg.DATALOADER.NUM_WORKERS = workers
    loader = build_data_loader(
        cfg, data_source=[Datum(str(tmp_path / "broken.png"))], tfm=lambda image: 1, is_train=False
    )
    with pytest.raises(ImageError, match=r"broken\.png"):
        next(iter(loader))


def test_nothing_to_load_is_an_error(cfg):
    with pytest.raises(ValueError, match="no images to load for dataset 'TinyColours'"):
        build_data_loader(cfg, data_source=[])


def test_unknown_sampler_is_an_error(cfg):
    for name, error in (("RandomSample", UnavailableError), ("RandomDomainSampler", MissingPartError)):
        with pytest.raises(error, match=name):
            build_data_loader(cfg, name, pets([0]))


def test_random_class_sampler_fills_batches_class_by_class():
    random.seed(1)
    sampler = RandomClassSampler(pets(range(5)), batch_size=4, n_ins=2)
    order = list(sampler)
    assert len(order) % 4 == 0
    assert len(set(order)) == len(order)
    for start in range(0, len(order), 4):
        labels = [index // 5 for index in order[start : start + 4]]
        assert labels[0] == labels[1] != labels[2] == labels[3]


def test_random_class_sampler_repeats_items_of_small_classes():
    assert sorted(RandomClassSampler(pets([0])[:1], batch_size=3, n_ins=3)) == [0, 0, 0]


@pytest.mark.parametrize(("batch_size", "n_ins"), [(2, 4), (14, 2)])
def test_batch_that_cannot_be_filled_is_an_error(batch_size, n_ins):
    with pytest.raises(ValueError, match="batch"):
        RandomClassSampler(pets(range(2)), batch_size, n_ins)
