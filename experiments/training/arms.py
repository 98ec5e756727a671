"""The arms of the comparisons: what gates the branches, under the names of the records."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from stepkit.attention import SqueezeExcite, StepNetAttention

# Each takes the reduction and returns what `cifar_resnet(attention=...)` takes.
ARMS: dict[str, Callable[[float], Any]] = {
    "none": lambda r: None,
    "squeeze_excite": lambda r: partial(SqueezeExcite, r),
    "efficient_channel_attention": lambda r: "efficient_channel_attention",
    "style_recalibration": lambda r: "style_recalibration",
    "gated_channel_transform": lambda r: "gated_channel_transform",
    "stepnet_pair": lambda r: partial(StepNetAttention, "pair", r),
    "stepnet_statistics": lambda r: partial(StepNetAttention, "statistics"),
    "stepnet_index": lambda r: partial(StepNetAttention, "index"),
    "se_on_state": lambda r: partial(SqueezeExcite, r, source="shortcut"),
    "se_matched": lambda r: partial(SqueezeExcite, r * 2 / 3),  # as many weights as stepnet_pair
    "constant_gate": lambda r: "constant_gate",
}
WORDS = {
    "none": "no attention",
    "squeeze_excite": "SE",
    "efficient_channel_attention": "ECA",
    "style_recalibration": "SRM",
    "gated_channel_transform": "GCT",
    "stepnet_pair": "StepNet (reconstruction), pair",
    "stepnet_statistics": "StepNet (reconstruction), statistics",
    "stepnet_index": "StepNet (reconstruction), index",
    "se_on_state": "SE on the state",
    "se_matched": "SE, as many weights as pair",
    "constant_gate": "constant gate",
}
