"""Images that are encoded once, by several GPUs at once, with a share of the batches each.

The run's own GPU is this process's, which no other could open in exclusive mode; for each of the others there is a
process. The image encoder is frozen, so that they have nothing to tell each other: each gets its weights once, and
hands features back. Batches are those of one process, and so are the features, bit for bit on devices that compute
alike: the cores of one CPU, or GPUs of one kind once cuDNN may not choose among algorithms (`--deterministic`).
"""

import io
import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from multiprocessing import connection, resource_tracker
from typing import Any, NamedTuple

import torch
from torch import nn
from torch._utils import ExceptionWrapper  # by which loader workers report too
from torch.utils.data import Dataset, Subset

from ..errors import InputError
from ..run.progress import progress
from ..run.warnings_once import warnings_once
from .batches import Batch, Extract, ImageFeatures, extract_alone, read_once

SPAWN = multiprocessing.get_context("spawn")  # CUDA does not outlive a fork
MANY = 10_000  # images: if a GPU encodes 1,000 a second, two save the 5 s in which processes import PyTorch
PATIENCE = 1  # seconds without features, after which it is asked whether a process is still there


def usable_devices(wanted: int, own: torch.device) -> list[torch.device]:
    """The devices that TRAINER.FEATURES.DEVICES asks for, the run's own first; 0: all GPUs of its kind.

    On a CPU, so many processes that share it. Raises InputError where there are not so many.
    """
    if wanted == 1:
        return [own]
    if own.type == "cuda":
        there, kind = alike(own), f"visible GPUs of the run's kind, {torch.cuda.get_device_name(own)}"
    else:
        there, kind = [own] * (os.cpu_count() or 1), "CPU cores"
    if wanted > len(there):
        raise InputError(f"TRAINER.FEATURES.DEVICES is {wanted}, but there are {len(there)} {kind}.")
    return there[: wanted or (len(there) if own.type == "cuda" else 1)]


def alike(own: torch.device) -> list[torch.device]:
    """This GPU and the others of the same name: others may give other bits, which the cache would not tell apart."""
    first, name = torch.cuda.current_device() if own.index is None else own.index, torch.cuda.get_device_name(own)
    others = [index for index in range(torch.cuda.device_count()) if index != first]
    return [torch.device("cuda", index) for index in (first, *others) if torch.cuda.get_device_name(index) == name]


def shares(count: int, batch_size: int, parts: int) -> list[range]:
    """Cuts `count` items between batches into at most so many parts, as equal as that allows; none is empty."""
    batches = -(-count // batch_size)
    parts = min(parts, batches)
    cuts = [batches * part // parts * batch_size for part in range(parts)]
    return [range(*ends) for ends in pairwise([*cuts, count])]


@contextmanager
def extractor(encoder: nn.Module, devices: Sequence[torch.device], **loading) -> Iterator[Extract]:
    """What encodes images, while it is entered: in this process, and for each device but the first in one more.

    The encoder is on the first device; `loading` goes to the DataLoader, with `batch_size`. The number of loader
    workers is for all processes together. Images must look the same in whatever order and process they are asked
    for, as a test transform's do and OwnView's.
    """
    if len(devices) == 1:
        yield partial(extract_alone, encoder, devices[0], loading)
        return
    encoders = RemoteEncoders(encoder, devices, loading)
    try:
        yield encoders.extract
    finally:
        encoders.end()


class Settings(NamedTuple):
    """What a process takes over from the run: what bits depend on, and how loader workers are started."""

    threads: int
    deterministic: bool
    benchmark: bool
    tf32: bool
    start_method: str | None  # in a spawned process spawn is the default: seconds for each worker and pass

    @classmethod
    def here(cls) -> "Settings":
        numerics = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        convolutions = torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32
        return cls(*numerics, *convolutions, multiprocessing.get_start_method(allow_none=True))

    def set(self) -> None:
        torch.set_num_threads(self.threads)
        torch.use_deterministic_algorithms(self.deterministic)
        torch.backends.cudnn.benchmark = self.benchmark
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.tf32
        multiprocessing.set_start_method(self.start_method, force=True)


def serve(pipe: connection.Connection, device: torch.device, settings: Settings) -> None:
    """What a process does: batch by batch, it encodes the images that it is sent, until the pipe is closed.

    Signals are for the run that started it, which ends it with its loader workers: they are a group of their own.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if hasattr(os, "setpgid"):  # not on Windows
        os.setpgid(0, 0)
    with warnings_once():
        try:
            encode_for(pipe, device, settings)
        except Exception:  # whatever it is, the run is told; where that has ended, nobody is
            with suppress(OSError):
                pipe.send(ExceptionWrapper(where=f"in the process that encodes images on {device}"))


def encode_for(pipe: connection.Connection, device: torch.device, settings: Settings) -> None:
    settings.set()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    encoder = torch.load(io.BytesIO(pipe.recv_bytes()), map_location=device, weights_only=False)
    with ThreadPoolExecutor(1) as sending:  # the run reads between batches of its own, and is not waited for
        while True:
            images, loading = pipe.recv()
            for batch in ImageFeatures(encoder, read_once(images, **loading), device):
                sending.submit(pipe.send, [part.cpu().numpy() for part in batch])  # tensors would go by shared memory


class RemoteEncoder:
    """A process that encodes images on one device, and what it still owes."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.due = device, 0  # batches
        self.batches: list[Batch] = []
        self.pipe, other = SPAWN.Pipe()
        self.process = SPAWN.Process(target=serve, args=(other, device, Settings.here()))
        with other, unreached_by(signal.SIGINT):  # which a terminal sends to all processes
            self.process.start()

    def send(self, what: Any) -> None:
        with suppress(ConnectionError):  # what it has to say on that is read later
            self.pipe.send_bytes(what) if isinstance(what, bytes) else self.pipe.send(what)

    def ask(self, images: Subset, loading: Mapping[str, Any]) -> None:
        self.due, self.batches = -(-len(images) // loading["batch_size"]), []
        self.send((images, loading))

    def take(self) -> None:
        """Receives a batch; raises what was raised there, or InputError where the process is gone."""
        try:
            received = self.pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise self.gone() from error
        if isinstance(received, ExceptionWrapper):
            received.reraise()
        features, labels = received
        self.batches.append((torch.from_numpy(features), torch.from_numpy(labels)))
        self.due -= 1

    def check(self) -> None:
        """Raises InputError where the process is gone, and has left nothing to read."""
        if not self.process.is_alive() and not self.pipe.poll():
            raise self.gone()

    def gone(self) -> InputError:
        self.process.join(PATIENCE)
        status = self.process.exitcode or 0
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        return InputError(
            f"The process that encodes images on {self.device} was ended {how}, before it was done. Where memory is "
            "out, the system does that: fewer loader workers (DATALOADER.NUM_WORKERS), smaller batches "
            "(DATALOADER.TEST.BATCH_SIZE) and TRAINER.FEATURES.DEVICES 1 take less."
        )

    def end(self) -> None:
        """Ends the process and its loader workers, which without it might wait for ever."""
        self.pipe.close()
        with suppress(OSError, AttributeError):  # it has not come to have a group; Windows has none
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()


class RemoteEncoders:
    """This process and one for each further device, which start when there are images for them."""

    def __init__(self, encoder: nn.Module, devices: Sequence[torch.device], loading: Mapping[str, Any]) -> None:
        self.encoder, self.devices, self.loading = encoder, devices, loading
        self.started: list[RemoteEncoder] = []

    def extract(self, images: Dataset, title: str) -> Batch:
        """Features (N, D) and labels (N,), on the first device."""
        batch_size, workers = self.loading["batch_size"], self.loading.get("num_workers", 0)
        parts = shares(len(images), batch_size, len(self.devices))
        if len(parts) < 2:
            return extract_alone(self.encoder, self.devices[0], self.loading, images, title)
        loading = {**self.loading, "num_workers": -(-workers // len(parts))}
        own, *others = (Subset(images, part) for part in parts)
        self.start(len(others))
        working = self.started[: len(others)]
        for encoder, part in zip(working, others, strict=True):
            encoder.ask(part, loading)
        loader = read_once(own, **loading)
        batches: list[Batch] = []
        with progress(len(loader) + sum(encoder.due for encoder in working), f"features, {title}") as bar:
            for batch in ImageFeatures(self.encoder, loader, self.devices[0]):
                batches.append(batch)
                bar.update(1 + take_ready(working, patience=0))
            while any(encoder.due for encoder in working):
                bar.update(take_ready(working, PATIENCE))
        batches += [batch for encoder in working for batch in encoder.batches]
        return tuple(torch.cat([part.to(self.devices[0]) for part in some]) for some in zip(*batches, strict=True))

    def start(self, count: int) -> None:
        """Starts what is missing of so many processes; they import PyTorch at the same time."""
        missing = self.devices[1 + len(self.started) : 1 + count]
        if not missing:
            return
        print(f"Images are encoded on {', '.join(map(str, self.devices[: 1 + count]))}, by a process each")
        for device in missing:
            self.started.append(RemoteEncoder(device))
        content = io.BytesIO()
        torch.save(self.encoder, content)
        for encoder in self.started[-len(missing) :]:
            encoder.send(content.getvalue())

    def end(self) -> None:
        for encoder in self.started:
            encoder.end()


def take_ready(encoders: Sequence[RemoteEncoder], patience: float) -> int:
    """Receives a batch of each that has sent one, and says of how many; after so many seconds perhaps of none.

    Raises InputError where one is gone, and what was raised in one.
    """
    busy = [encoder for encoder in encoders if encoder.due]
    readable = connection.wait([encoder.pipe for encoder in busy], patience) if busy else ()
    for encoder in busy:
        if encoder.pipe in readable:
            encoder.take()
        elif not readable:
            encoder.check()
    return len(readable)


@contextmanager
def unreached_by(number: signal.Signals) -> Iterator[None]:
    """Processes that are started inside do not get the signal; here it comes a little later."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # else the first process starts it, which would undo this
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
