"""Files of the Hugging Face hub, by addresses such as hf://datasets/OWNER/NAME@REVISION/PATH."""

import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from .errors import FetchError, writing
from .transfer import BrokenOffError, Patience, download, insist, root_cause

SCHEME = "hf://"
HOST = "https://huggingface.co"


class HubFile(NamedTuple):
    """A file of a repository; `kind` is datasets, or empty for a model's."""

    kind: str
    repo: str
    revision: str
    path: str

    @classmethod
    def at(cls, address: str) -> "HubFile":
        """Raises ValueError for what is no such address."""
        found = re.fullmatch(r"hf://(?:(datasets)/)?([\w.-]+/[\w.-]+)@([\w.-]+)/([^?#]+)", address)
        if not found:
            raise ValueError(f"{address!r} is no address of the hub: hf://[datasets/]OWNER/NAME@REVISION/PATH")
        return cls(found[1] or "", *found.groups()[1:])

    @property
    def url(self) -> str:
        folder = f"{self.kind}/{self.repo}" if self.kind else self.repo
        return f"{HOST}/{folder}/resolve/{self.revision}/{self.path}"


def download_hub(address: str, path: Path, patience: Patience) -> None:
    """Brings the file to `path`, whole or not at all, by huggingface_hub, which knows the user's login.

    Where that is not installed, as from any other server. Raises FetchError.
    """
    try:
        file = HubFile.at(address)
    except ValueError as error:
        raise FetchError(str(error)) from error
    try:
        import huggingface_hub
    except ImportError:
        return download(file.url, path, patience)
    part = path.with_name(f"{path.name}.hub")  # a folder, in which what broke off is gone on with
    kind = "dataset" if file.kind else "model"

    def fetch() -> None:
        try:
            with writing(part, "what has come is kept, and the same command goes on with it"):
                found = huggingface_hub.hf_hub_download(
                    file.repo, file.path, repo_type=kind, revision=file.revision, local_dir=part
                )
            os.replace(found, path)
        except FetchError:
            raise
        except huggingface_hub.utils.HfHubHTTPError as error:  # no such file, or not for this user
            raise FetchError(str(error).strip().partition("\n")[0]) from error
        except Exception as error:  # noqa: BLE001 - its versions use several HTTP libraries
            raise BrokenOffError(f"broke off ({root_cause(error)})") from error

    insist(fetch, patience, lambda: sum(one.stat().st_size for one in part.rglob("*") if one.is_file()))
    return shutil.rmtree(part, ignore_errors=True)
