"""UCF101: the middle frames of videos of 101 actions."""

import re
from pathlib import Path

from dassl.data.datasets import DATASET_REGISTRY, Datum

from .fewshot import FewShotDataset


@DATASET_REGISTRY.register()
class UCF101(FewShotDataset):
    folder = "ucf101"
    images = "UCF-101-midframes"
    split = "split_zhou_UCF101.json"

    def read_lists(self) -> tuple[list[Datum], list[Datum]]:
        lists = self.dataset_dir / "ucfTrainTestlist"
        with self.reading(lists / "classInd.txt") as path:  # lines `1 ApplyEyeMakeup`
            rows = [line.split() for line in self.read_lines(path)]
            labels = {action: int(number) - 1 for number, action in rows}
        return self.read_list(lists / "trainlist01.txt", labels), self.read_list(lists / "testlist01.txt", labels)

    def read_list(self, path: Path, labels: dict[str, int]) -> list[Datum]:
        """Items of a list with lines `ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1`."""
        with self.reading(path):
            videos = [line.split()[0].split("/") for line in self.read_lines(path)]
            return [
                self.item(f"{spaced(action)}/{video.replace('.avi', '.jpg')}", labels[action], spaced(action))
                for action, video in videos
            ]


def spaced(action: str) -> str:
    """As the folders of frames are called: "ApplyEyeMakeup" is "Apply_Eye_Makeup"."""
    return "_".join(re.findall("[A-Z][^A-Z]*", action))
