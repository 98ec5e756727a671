"""Attention as a step size: gates on the branch of a residual block, and metric attention."""

from stepkit.attention.channel_attention import ChannelAttention
from stepkit.attention.constant_gate import ConstantGate
from stepkit.attention.conv_block_attention import ConvBlockAttention
from stepkit.attention.efficient_channel_attention import EfficientChannelAttention
from stepkit.attention.gate_values import gate_model, gate_values
from stepkit.attention.gated_channel_transform import GatedChannelTransform
from stepkit.attention.lookup import get
from stepkit.attention.metric_attention import MetricAttention
from stepkit.attention.signed_node_attention import SignedNodeAttention
from stepkit.attention.squeeze_excite import SqueezeExcite
from stepkit.attention.step_net_attention import StepNetAttention
from stepkit.attention.style_recalibration import StyleRecalibration

__all__ = [
    "ChannelAttention",
    "ConstantGate",
    "ConvBlockAttention",
    "EfficientChannelAttention",
    "GatedChannelTransform",
    "MetricAttention",
    "SignedNodeAttention",
    "SqueezeExcite",
    "StepNetAttention",
    "StyleRecalibration",
    "gate_model",
    "gate_values",
    "get",
]
