"""Models of the Hugging Face hub: which files are wanted, downloading them, the cache.

Free of torch and diffusers, so that ``img2imgd fetch`` and the worker share it. The hub's own
library is imported late: most commands never need it.
"""

from img2imgd.hub.client import Hub
from img2imgd.hub.faults import HubFault
from img2imgd.hub.fetching import Plan, download, followed, local_copy, plan, require_space
from img2imgd.hub.known import PICKLES, SAFE
from img2imgd.hub.partial import Advance
from img2imgd.hub.sizes import in_words
from img2imgd.hub.source import HubSource, ModelSources, Wanted, hub_source, is_hub_id
from img2imgd.hub.telling import ProgressLines

__all__ = [
    "PICKLES",
    "SAFE",
    "Advance",
    "Hub",
    "HubFault",
    "HubSource",
    "ModelSources",
    "Plan",
    "ProgressLines",
    "Wanted",
    "download",
    "followed",
    "hub_source",
    "in_words",
    "is_hub_id",
    "local_copy",
    "plan",
    "require_space",
]
