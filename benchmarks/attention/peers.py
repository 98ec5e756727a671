"""timm's modules in the same network in PyTorch, compiled by `torch.compile`."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.attention.networks import SHAPES
from benchmarks.attention.torch_resnet import ResNet

HALF = {"mixed_bfloat16": torch.bfloat16, "mixed_float16": torch.float16}


def modules() -> dict[str, Callable | None]:
    """The makers of timm's modules, with the reductions of ours; empty where timm is missing."""
    try:
        from timm.layers import EcaModule, SEModule
        from timm.layers.cbam import CbamModule
    except ImportError:
        return {}
    ratio = {"rd_ratio": 1 / 16, "rd_divisor": 1}
    return {
        "none": None,
        "squeeze_excite": lambda channels: SEModule(channels, **ratio),
        "efficient_channel_attention": lambda channels: EcaModule(channels),
        "conv_block_attention": lambda channels: CbamModule(channels, **ratio),
    }


def network(shape: str, module: Callable | None) -> ResNet:
    """The network of a shape, on the device that there is."""
    depth, width, image, _ = SHAPES[shape]
    large = not isinstance(depth, int)
    blocks = depth if large else ((depth - 2) // 9,) * 3
    net = ResNet(blocks, width, "bottleneck", module, large, image[-1], 1000 if large else 10)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return net.to(device, memory_format=torch.channels_last)


def training(net: ResNet, size: int, image: tuple, precision: str) -> Callable[[], object]:
    """Returns a function that makes one compiled step of SGD with momentum and waits for it."""
    device = next(net.parameters()).device
    x, y = batch(size, image, device)
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)
    compiled = torch.compile(net)

    def run():
        optimizer.zero_grad(set_to_none=True)
        with half(device, precision):
            value = torch.nn.functional.cross_entropy(compiled(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    return run


def answering(net: ResNet, size: int, image: tuple, precision: str) -> Callable[[], object]:
    """Returns a function that computes the answers of a batch and waits for them."""
    device = next(net.parameters()).device
    x, _ = batch(size, image, device)
    compiled = torch.compile(net.eval())

    def run():
        with torch.no_grad(), half(device, precision):
            return compiled(x).float().cpu().numpy()

    return run


def batch(size: int, image: tuple, device: torch.device) -> tuple:
    """Random images, channels first in shape and last in memory, and labels."""
    height, width, channels = image
    x = torch.randn(size, channels, height, width, device=device)
    return x.contiguous(memory_format=torch.channels_last), torch.randint(
        10, (size,), device=device
    )


def half(device: torch.device, precision: str) -> torch.autocast:
    """Autocast to the precision of ours."""
    return torch.autocast(device.type, HALF.get(precision), enabled=precision in HALF)
