"""What a picture is to become: the keys people write, merged and settled into a request."""

from img2imgd.request.drawing import draw, has_choices, literal
from img2imgd.request.effects import (
    GUIDANCE_SCALE,
    NEGATIVE_PROMPT,
    PROMPT_SYNTAX,
    asked_of_model,
)
from img2imgd.request.emphasis import ADDED_NETWORK, Weighted, read_emphasis
from img2imgd.request.gif import GifKeys, GifSettings
from img2imgd.request.infotext import parse_infotext
from img2imgd.request.keys import BUILT_IN, PLAIN, DefaultKeys, RequestKeys, is_pattern
from img2imgd.request.listed import chooses_from_lists, describe_list, may_name_lists
from img2imgd.request.lists import (
    MAX_LIST_BYTES,
    FromList,
    ListFiles,
    is_list_name,
)
from img2imgd.request.names import read_name
from img2imgd.request.outputs import OutputSettings, SheetKeys, SheetSettings
from img2imgd.request.recipes import canonical_keys, frame_keys
from img2imgd.request.resolving import resolve
from img2imgd.request.schedulers import (
    OWN,
    SCHEDULER_NAMES,
    SchedulerName,
    a1111_name,
    scheduler_named,
)
from img2imgd.request.settled import DrawnTexts, Request
from img2imgd.request.sidecar import (
    Sidecar,
    json_schema,
    parse_sidecar,
    read_defaults,
    read_sidecar,
)
from img2imgd.request.styles import StyleKeys, StyleTexts
from img2imgd.request.weights import NO_LORA, NO_SWAP, tags_left_out, weight_refusal
from img2imgd.request.writing import plain_keys, sidecar_text

__all__ = [
    "ADDED_NETWORK",
    "BUILT_IN",
    "GUIDANCE_SCALE",
    "MAX_LIST_BYTES",
    "NEGATIVE_PROMPT",
    "NO_LORA",
    "NO_SWAP",
    "OWN",
    "PLAIN",
    "PROMPT_SYNTAX",
    "SCHEDULER_NAMES",
    "DefaultKeys",
    "DrawnTexts",
    "FromList",
    "GifKeys",
    "GifSettings",
    "ListFiles",
    "OutputSettings",
    "Request",
    "RequestKeys",
    "SchedulerName",
    "SheetKeys",
    "SheetSettings",
    "Sidecar",
    "StyleKeys",
    "StyleTexts",
    "Weighted",
    "a1111_name",
    "asked_of_model",
    "canonical_keys",
    "chooses_from_lists",
    "describe_list",
    "draw",
    "frame_keys",
    "has_choices",
    "is_list_name",
    "is_pattern",
    "json_schema",
    "literal",
    "may_name_lists",
    "parse_infotext",
    "parse_sidecar",
    "plain_keys",
    "read_defaults",
    "read_emphasis",
    "read_name",
    "read_sidecar",
    "resolve",
    "scheduler_named",
    "sidecar_text",
    "tags_left_out",
    "weight_refusal",
]
