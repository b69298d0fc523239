"""What a picture is to become: the keys people write, merged and settled into a request."""

from img2imgd.request.gif import GifKeys, GifSettings
from img2imgd.request.infotext import Infotext, parse_infotext
from img2imgd.request.keys import BUILT_IN, DefaultKeys, RequestKeys, is_pattern
from img2imgd.request.resolving import resolve
from img2imgd.request.schedulers import (
    SCHEDULER_NAMES,
    SchedulerName,
    a1111_name,
    scheduler_named,
)
from img2imgd.request.settled import Request
from img2imgd.request.sidecar import (
    Sidecar,
    json_schema,
    parse_sidecar,
    read_defaults,
    read_sidecar,
)
from img2imgd.request.writing import sidecar_text

__all__ = [
    "BUILT_IN",
    "SCHEDULER_NAMES",
    "DefaultKeys",
    "GifKeys",
    "GifSettings",
    "Infotext",
    "Request",
    "RequestKeys",
    "SchedulerName",
    "Sidecar",
    "a1111_name",
    "is_pattern",
    "json_schema",
    "parse_infotext",
    "parse_sidecar",
    "read_defaults",
    "read_sidecar",
    "resolve",
    "scheduler_named",
    "sidecar_text",
]
