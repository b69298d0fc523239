"""Where the worker process begins: ``python -m img2imgd.pool.process FD SETTINGS``."""

from __future__ import annotations

import json
import os
import sys
from multiprocessing.connection import Connection
from typing import Any

from img2imgd.pool.messages import Order, WorkerEvent
from img2imgd.pool.worker import main

if __name__ == "__main__":
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)
    pipe: Connection[WorkerEvent, Order] = Connection(descriptor)
    settings: dict[str, Any] = json.loads(sys.argv[2])
    main(pipe, **settings)
