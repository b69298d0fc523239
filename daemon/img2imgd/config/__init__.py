"""The config file: read, checked and settled into absolute folders and plain numbers."""

from img2imgd.config.commands import CONFIG_NAME, command, options
from img2imgd.config.example import default_config_text
from img2imgd.config.keys import ConfigKeys, json_schema
from img2imgd.config.loading import default_root, load_config
from img2imgd.config.sections import (
    DEMO_MODEL,
    EngineConfig,
    LimitsConfig,
    LoraConfig,
    ModelConfig,
    OutputsConfig,
    RetentionConfig,
    StatusConfig,
)
from img2imgd.config.settled import Config, InboxConfig
from img2imgd.config.values import NAME_FIELDS

__all__ = [
    "CONFIG_NAME",
    "DEMO_MODEL",
    "NAME_FIELDS",
    "Config",
    "ConfigKeys",
    "EngineConfig",
    "InboxConfig",
    "LimitsConfig",
    "LoraConfig",
    "ModelConfig",
    "OutputsConfig",
    "RetentionConfig",
    "StatusConfig",
    "command",
    "default_config_text",
    "default_root",
    "json_schema",
    "load_config",
    "options",
]
