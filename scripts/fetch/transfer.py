"""Files over HTTP and from Google Drive: resumed where they broke off, tried again after growing pauses."""

import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from .errors import FetchError, writing

AGENT = "Mozilla/5.0 (compatible; ship-dassl)"  # some servers turn away the default of requests
PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be over in a moment
BROKEN = (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError)
LONGEST_PAUSE = 60.0  # seconds


@dataclass(frozen=True)
class Patience:
    """How often a transfer is tried without getting further, and the seconds before the first further try."""

    tries: int = 4
    wait: float = 1.0  # doubles with every try
    timeout: float = 60.0  # of a server that says nothing


class BrokenOffError(Exception):
    """A transfer that ended too early and may be tried again."""


class Part:
    """What has come of a file so far, `<name>.part`, and which version of it that is, `<name>.part.json`."""

    def __init__(self, path: Path, url: str) -> None:
        self.path, self.url = path.with_name(f"{path.name}.part"), url
        self.note = path.with_name(f"{path.name}.part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def validator(self) -> str:
        """ETag or Last-Modified of the version that the part is of; empty where it cannot be gone on with."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            return note["validator"] if self.size and note["url"] == self.url else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def begin(self, headers: dict) -> None:
        """An empty part of the version that `headers` announce."""
        self.path.write_bytes(b"")
        etag = headers.get("ETag", "")  # a weak one, W/"…", does not promise equal bytes
        validator = headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
        self.note.write_text(json.dumps({"url": self.url, "validator": validator}), encoding="utf-8")

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def finish(self, path: Path) -> None:
        os.replace(self.path, path)
        self.drop()


def download(url: str, path: Path, patience: Patience) -> None:
    """Brings the file at `url` to `path`, whole or not at all. What has come stays in `path`.part for the next call.

    Raises FetchError.
    """
    part = Part(path, url)
    insist(lambda: receive(url, part, patience.timeout), patience, lambda: part.size)
    part.finish(path)


def insist(action: Callable[[], None], patience: Patience, progress: Callable[[], int]) -> None:
    """Repeats `action` while it breaks off; tries that got further than all before are not counted."""
    furthest, failures = progress(), 0
    while True:
        try:
            return action()
        except BrokenOffError as error:
            if progress() > furthest:
                furthest, failures = progress(), 0
            failures += 1
            if failures >= patience.tries:
                raise FetchError(f"{error} ({failures} tries)") from error
            print(f"  {error}; trying again", file=sys.stderr)
            time.sleep(min(patience.wait * 2 ** (failures - 1), LONGEST_PAUSE))


def receive(url: str, part: Part, timeout: float) -> None:
    """One try: goes on with the part if the server still has that version, else starts over."""
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}  # an encoding on top would spoil lengths
    if validator := part.validator():
        headers |= {"Range": f"bytes={part.size}-", "If-Range": validator}
    try:
        with (
            requests.get(url, headers=headers, stream=True, timeout=timeout) as response,
            writing(part.path, f"what has come is kept in {part.path.name}, and the same command goes on with it"),
        ):
            if is_all_there(response, part):
                return
            if not goes_on(response, part):
                part.begin(response.headers)
            append(response, part)
    except requests.exceptions.SSLError as error:
        raise FetchError(f"no safe connection ({root_cause(error)})") from error
    except BROKEN as error:
        raise BrokenOffError(f"broke off ({root_cause(error)})") from error
    except requests.RequestException as error:
        raise FetchError(str(error)) from error


def is_all_there(response: requests.Response, part: Part) -> bool:
    """Checks the status; True where the server says that nothing comes after the part."""
    if response.status_code == 416:  # the range begins at or behind the end
        if response.headers.get("Content-Range") == f"bytes */{part.size}":
            return True
        part.drop()
        raise BrokenOffError("the server has another version by now")
    problem = f"{response.status_code} {response.reason}"
    if response.status_code in PASSING:
        raise BrokenOffError(problem)
    if response.status_code not in (200, 206):
        raise FetchError(problem)
    return False


def goes_on(response: requests.Response, part: Part) -> bool:
    """Whether the answer begins where the part ends."""
    if response.status_code != 206:
        return False
    begin = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if not begin or int(begin[1]) != part.size:
        part.drop()
        raise BrokenOffError("the server sent another range than it was asked for")
    return True


def append(response: requests.Response, part: Part) -> None:
    """Writes the body behind the part, with a progress bar; the length must be the one announced."""
    length, start = content_length(response), part.size
    total = start + length if length else None
    bar = tqdm(total=total, initial=start, desc=f"  {part.path.stem}", unit="B", unit_scale=True, disable=None)
    with open(part.path, "ab") as file, bar:
        for chunk in response.raw.stream(1 << 20, decode_content=False):
            file.write(chunk)
            bar.update(len(chunk))
    if total is not None and part.size != total:  # urllib3 before 2 does not mind
        raise BrokenOffError(f"{part.size:,} of {total:,} bytes came")


def root_cause(error: BaseException) -> str:
    """What the first of a chain of errors says: the later ones repeat it in several wrappings."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return str(error) or type(error).__name__


def announced_size(url: str, timeout: float) -> int:
    """Bytes of the file at `url` as the server says without sending it; 0 where it does not."""
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
    try:
        response = requests.head(url, headers=headers, allow_redirects=True, timeout=timeout)
    except requests.RequestException:
        return 0  # the download itself will say what is wrong
    return content_length(response) if response.ok else 0


def content_length(response: requests.Response) -> int:
    """Bytes that the answer announces; 0 where it does not."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else 0


def download_drive(identity: str, path: Path, patience: Patience) -> None:
    """The same for a file of Google Drive, by its id. Raises FetchError."""
    import gdown

    part = path.with_name(f"{path.name}.drive")  # gdown's own part lies beside it, with a name that begins so

    def fetch() -> None:
        try:
            with writing(path.parent, "what has come is kept, and the same command goes on with it"):
                done = gdown.download(id=identity, output=str(part), quiet=not sys.stderr.isatty(), resume=True)
        except FetchError:
            raise
        except gdown.exceptions.FileURLRetrievalError as error:  # quota, permission, no such file
            raise FetchError(" ".join(str(error).split())) from error
        except Exception as error:  # noqa: BLE001 - gdown's others have no common base in all its versions
            raise BrokenOffError(f"broke off ({root_cause(error)})") from error
        if not done:  # how gdown before 5 reports errors
            raise FetchError("Google Drive did not give the file")

    def arrived() -> int:
        return sum(file.stat().st_size for file in path.parent.glob(f"{part.name}*"))

    insist(fetch, patience, arrived)
    os.replace(part, path)
