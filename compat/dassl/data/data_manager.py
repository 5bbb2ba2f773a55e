"""The data manager: a dataset, its transforms and its loaders."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from tabulate import tabulate
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T
from yacs.config import CfgNode

from ..utils import ConfigError, read_image
from .datasets import DatasetBase, Datum, build_dataset
from .samplers import build_sampler
from .transforms import INTERPOLATION_MODES, build_transform

Transform = Callable[[Image.Image], Any]


class DatasetWrapper(Dataset):
    """Items of `data_source` with their images: {label, domain, impath, index, img[, img2 …][, img0]}.

    `img` is the transformed image, or a list of DATALOADER.K_TRANSFORMS of them in training; several
    transforms give img, img2 and so on; without a transform it is the image itself. `img0`
    (DATALOADER.RETURN_IMG0) is the image resized and as a tensor, without augmentation.
    """

    def __init__(
        self,
        cfg: CfgNode,
        data_source: Sequence[Datum],
        transform: Transform | Sequence[Transform] | None = None,
        is_train: bool = False,
    ) -> None:
        self.cfg = cfg
        self.data_source = data_source
        self.transform = transform
        self.is_train = is_train
        self.k_tfm = cfg.DATALOADER.K_TRANSFORMS if is_train else 1
        self.return_img0 = cfg.DATALOADER.RETURN_IMG0
        if self.k_tfm > 1 and transform is None:
            raise ConfigError(f"DATALOADER.K_TRANSFORMS {self.k_tfm} needs a transform")
        mode = INTERPOLATION_MODES[cfg.INPUT.INTERPOLATION]
        steps = [T.Resize(cfg.INPUT.SIZE, interpolation=mode), T.ToTensor()]
        if "normalize" in cfg.INPUT.TRANSFORMS:
            steps.append(T.Normalize(mean=cfg.INPUT.PIXEL_MEAN, std=cfg.INPUT.PIXEL_STD))
        self.to_tensor = T.Compose(steps)

    def __len__(self) -> int:
        return len(self.data_source)

    def __getitem__(self, idx: int) -> dict[str, Any]:
        item = self.data_source[idx]
        output = {"label": item.label, "domain": item.domain, "impath": item.impath, "index": idx}
        image = read_image(item.impath)
        if self.transform is None:
            output["img"] = image
        elif isinstance(self.transform, (list, tuple)):
            for i, transform in enumerate(self.transform):
                output[f"img{i + 1}" if i else "img"] = self._apply(transform, image)
        else:
            output["img"] = self._apply(self.transform, image)
        if self.return_img0:
            output["img0"] = self.to_tensor(image)
        return output

    def _apply(self, transform: Transform, image: Image.Image) -> Any:
        images = [transform(image) for _ in range(self.k_tfm)]
        return images[0] if self.k_tfm == 1 else images


def build_data_loader(
    cfg: CfgNode,
    sampler_type: str = "SequentialSampler",
    data_source: Sequence[Datum] | None = None,
    batch_size: int = 64,
    n_domain: int = 0,
    n_ins: int = 2,
    tfm: Transform | Sequence[Transform] | None = None,
    is_train: bool = True,
    dataset_wrapper: Callable[..., Dataset] | None = None,
) -> DataLoader:
    """Return a loader; in training without the last, incomplete batch, unless it is the only one.

    `n_domain` is there for the signature's sake: it belongs to samplers that only Dassl has.
    """
    wrapper = dataset_wrapper or DatasetWrapper
    return DataLoader(
        wrapper(cfg, data_source, transform=tfm, is_train=is_train),
        batch_size=batch_size,
        sampler=build_sampler(sampler_type, data_source, batch_size, n_ins),
        num_workers=cfg.DATALOADER.NUM_WORKERS,
        drop_last=is_train and len(data_source) >= batch_size,
        pin_memory=torch.cuda.is_available() and cfg.USE_CUDA,
    )


class DataManager:
    """The dataset of cfg.DATASET with `train_loader_x`, `train_loader_u`, `val_loader` and `test_loader`.

    train_loader_u and val_loader are None where the dataset has no such part. `custom_tfm_train` and
    `custom_tfm_test` replace the transforms of cfg.INPUT, `dataset_wrapper` replaces DatasetWrapper.
    """

    def __init__(
        self,
        cfg: CfgNode,
        custom_tfm_train: Transform | Sequence[Transform] | None = None,
        custom_tfm_test: Transform | None = None,
        dataset_wrapper: Callable[..., Dataset] | None = None,
    ) -> None:
        # The dataset first: sampling it takes random numbers, and what comes later must find the same ones.
        self._dataset = dataset = build_dataset(cfg)
        tfm_train = _transform(cfg, True, custom_tfm_train)
        tfm_test = _transform(cfg, False, custom_tfm_test)

        def loader(part: CfgNode, data_source: Sequence[Datum] | None, is_train: bool) -> DataLoader:
            return build_data_loader(
                cfg,
                sampler_type=part.SAMPLER,
                data_source=data_source,
                batch_size=part.BATCH_SIZE,
                n_ins=part.get("N_INS", 2),
                tfm=tfm_train if is_train else tfm_test,
                is_train=is_train,
                dataset_wrapper=dataset_wrapper,
            )

        loaders = cfg.DATALOADER
        unlabelled = loaders.TRAIN_X if loaders.TRAIN_U.SAME_AS_X else loaders.TRAIN_U
        self.train_loader_x = loader(loaders.TRAIN_X, dataset.train_x, is_train=True)
        self.train_loader_u = loader(unlabelled, dataset.train_u, is_train=True) if dataset.train_u else None
        self.val_loader = loader(loaders.TEST, dataset.val, is_train=False) if dataset.val else None
        self.test_loader = loader(loaders.TEST, dataset.test, is_train=False)
        self._num_source_domains = len(cfg.DATASET.SOURCE_DOMAINS)
        if cfg.VERBOSE:
            self.show_dataset_summary(cfg)

    @property
    def dataset(self) -> DatasetBase:
        return self._dataset

    @property
    def num_classes(self) -> int:
        return self._dataset.num_classes

    @property
    def num_source_domains(self) -> int:
        return self._num_source_domains

    @property
    def lab2cname(self) -> Mapping[int, str]:
        return self._dataset.lab2cname

    def show_dataset_summary(self, cfg: CfgNode) -> None:
        """Print a table of the dataset's name and sizes."""
        rows = [("Dataset", cfg.DATASET.NAME)]
        if cfg.DATASET.SOURCE_DOMAINS:
            rows.append(("Source", cfg.DATASET.SOURCE_DOMAINS))
        if cfg.DATASET.TARGET_DOMAINS:
            rows.append(("Target", cfg.DATASET.TARGET_DOMAINS))
        rows.append(("# classes", f"{self.num_classes:,}"))
        for part in ("train_x", "train_u", "val", "test"):
            data_source = getattr(self.dataset, part)
            if data_source:
                rows.append((f"# {part}", f"{len(data_source):,}"))
        print(tabulate(rows))


def _transform(cfg: CfgNode, is_train: bool, custom: Transform | Sequence[Transform] | None) -> Any:
    if custom is None:
        return build_transform(cfg, is_train=is_train)
    print(f"* Using custom transform for {'training' if is_train else 'testing'}")
    return custom
