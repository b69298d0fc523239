"""Which device and number format a model runs with, and what their errors mean."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from img2imgd.engine.cards import there_is_a_card
from img2imgd.engine.protocol import ModelSpec, ModelUnavailable

log = logging.getLogger(__name__)

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

# The words of the CPU's allocator and MPS's, of CUDA outside torch's own allocator, and of cuBLAS
# and cuDNN for their handles and workspaces: none has a type of its own.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "backend out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_NOT_INITIALIZED",
    "unable to find an engine to execute",  # cuDNN: none whose workspace fits
)
_LET_IN = "`img2imgd doctor` says more; a systemd service needs gpu.conf to reach it"
_NO_SUCH_GPU = "invalid device ordinal"  # a CUDA error too, of a wrong config

Value = TypeVar("Value")


@dataclass(frozen=True)
class Choice(Generic[Value]):
    """What was chosen, and why, for the line in the log that tells of it."""

    value: Value
    why: str

    def __str__(self) -> str:
        return f"{str(self.value).removeprefix('torch.')} ({self.why})"


def choose_device(model: ModelSpec) -> Choice[torch.device]:
    """The device the config names, or the best there is: CUDA, then Apple's MPS, then the CPU.

    Raises:
        ModelUnavailable: the named device is not there.
    """
    if model.device == "auto":
        if torch.cuda.is_available():
            return Choice(torch.device("cuda"), "auto: the first GPU")
        if torch.backends.mps.is_available():
            return Choice(torch.device("mps"), "auto: Apple's GPU")
        if there_is_a_card():
            log.warning("there is an NVIDIA card that torch cannot use: %s", _LET_IN)
            return Choice(torch.device("cpu"), "auto: torch cannot use the NVIDIA card")
        return Choice(torch.device("cpu"), "auto: torch finds no GPU")
    try:
        device = torch.device(model.device)
        if device.type == "mps" and not torch.backends.mps.is_available():
            raise RuntimeError("this machine has none")  # torch's own words are a whole page
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise ModelUnavailable(
            f"Model {model.name}: the device {model.device!r} cannot be used: {first_line(error)}.",
            f"There is an NVIDIA card: {_LET_IN}."
            if model.device == "cuda" and there_is_a_card()
            else "Set `engine.device` to auto, or to a device that this machine has.",
        ) from error
    return Choice(device, "engine.device")


def choose_dtype(
    model: ModelSpec, device: torch.device, *, transformer: bool
) -> Choice[torch.dtype]:
    """The number format the config names, or the one that suits the device and the model.

    On a CPU always fp32, whatever the weights are stored in: fp16 is slower there, and so is bf16
    where the processor has no instructions for it. On a GPU, fp16 for UNets; bf16 for transformers,
    whose activations overflow fp16.

    Raises:
        ModelUnavailable: the config names none that there is.
    """
    if model.dtype != "auto":
        if model.dtype not in DTYPES:
            raise ModelUnavailable(
                f"Model {model.name}: there is no number format {model.dtype!r}.",
                f"Set `engine.dtype` to auto or one of: {', '.join(DTYPES)}.",
            )
        return Choice(DTYPES[model.dtype], "engine.dtype")
    if device.type == "cpu":
        return Choice(torch.float32, "auto: on a CPU")
    where = {"cuda": "CUDA", "mps": "MPS"}.get(device.type, device.type)
    if not transformer:
        return Choice(torch.float16, f"auto: UNet on {where}")
    if device.type == "cuda" and not _computes_bfloat16(device):
        return Choice(torch.float16, "auto: transformer on a GPU without bfloat16")
    return Choice(torch.bfloat16, f"auto: transformer on {where}")


def _computes_bfloat16(device: torch.device) -> bool:
    """Whether this GPU itself does, not by fp32: that one takes longer than fp16."""
    with torch.cuda.device(device):
        return torch.cuda.is_bf16_supported(including_emulation=False)


def without_waiting(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the processor on a device, whose work is not waited for."""
    if device.type != "cuda":
        return tensor.to(device)
    # From memory that is not pinned, a copy waits for all that the GPU has to do.
    return tensor.pin_memory().to(device, non_blocking=True)


def free_memory() -> None:
    """Give freed memory back to the device."""
    gc.collect()
    with contextlib.suppress(RuntimeError):  # a lost device; what is done with it next tells of it
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif torch.backends.mps.is_available():
            torch.mps.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """True for a GPU's or the machine's memory having run out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)


def is_device_lost(error: BaseException) -> bool:
    """True for an error after which this process can use its GPU no more (CUDA's are sticky)."""
    if is_out_of_memory(error) or _NO_SUCH_GPU in str(error):
        return False
    return isinstance(error, torch.AcceleratorError) or (
        isinstance(error, RuntimeError) and "CUDA error" in str(error)
    )


def fault_of(device: torch.device) -> Exception | None:
    """What a device that has failed says of itself; None of one that answers.

    A fault shows at whatever is asked of the GPU next, and libraries have words of their own for
    it: cuDNN only says CUDNN_STATUS_EXECUTION_FAILED.
    """
    if device.type != "cuda":
        return None
    try:
        torch.cuda.synchronize(device)
    except RuntimeError as error:
        return error if is_device_lost(error) else None
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def first_line(error: BaseException) -> str:
    """The first line of an error's text, without full stop, or its type where it has none."""
    line = next(iter(str(error).strip().splitlines()), "").removesuffix(".")
    return line or type(error).__name__
