"""The composition root: builds the parts, starts and stops them in order, listens to signals."""

from img2imgd.app.daemon import Daemon
from img2imgd.app.once import Outcome, serve_once

__all__ = ["Daemon", "Outcome", "serve_once"]
