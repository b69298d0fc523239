"""From the ledger to the outbox: which jobs run, their frames, publishing and archiving."""

from img2imgd.dispatch.dispatch import Dispatch
from img2imgd.dispatch.models import model_spec

__all__ = ["Dispatch", "model_spec"]
