"""The residual networks of `networks.py` in PyTorch, for modules of other libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class Block(nn.Module):
    """relu(shortcut + attention(branch)), with bottlenecks or basic blocks.

    Args:
        before: int, channels of the state.
        planes: int, channels within.
        stride: int.
        kind: `"bottleneck"` or `"basic"`.
        attention: callable from a number of channels to a module, or `None`.
    """

    def __init__(
        self, before: int, planes: int, stride: int, kind: str, attention: Callable | None
    ) -> None:
        super().__init__()
        self.after = after = 4 * planes if kind == "bottleneck" else planes
        if kind == "bottleneck":
            widths = [(before, planes, 1, 1), (planes, planes, 3, stride), (planes, after, 1, 1)]
        else:
            widths = [(before, planes, 3, stride), (planes, planes, 3, 1)]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, k, s, k // 2, bias=False) for a, b, k, s in widths
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(conv.out_channels) for conv in self.convs)
        self.shortcut = None
        if stride != 1 or before != after:
            self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False)
            self.shortcut_norm = nn.BatchNorm2d(after)
        self.attention = attention(after) if attention else nn.Identity()

    def forward(self, x: Any) -> Any:
        """Returns the next state."""
        y = x
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            y = norm(conv(torch.relu(y) if i else y))
        if self.shortcut is not None:
            x = self.shortcut_norm(self.shortcut(x))
        return torch.relu(x + self.attention(y))


class ResNet(nn.Module):
    """Stem, stages of blocks, classifier.

    Args:
        blocks: int for each stage.
        width: int, planes of the first stage.
        kind: as in `Block`.
        attention: likewise.
        large: bool, whether the stem has width 7 and stride 2, and pooling follows.
        channels: int, of the image.
        classes: int.
    """

    def __init__(
        self,
        blocks: tuple[int, ...],
        width: int,
        kind: str = "bottleneck",
        attention: Callable | None = None,
        large: bool = False,
        channels: int = 3,
        classes: int = 10,
    ) -> None:
        super().__init__()
        size, stride = (7, 2) if large else (3, 1)
        self.stem = nn.Conv2d(channels, width, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, 1) if large else nn.Identity()
        self.blocks, self.names, before = nn.ModuleList(), [], width
        for stage, count in enumerate(blocks):
            for i in range(count):
                strides = 2 if stage and not i else 1
                self.blocks.append(Block(before, width * 2**stage, strides, kind, attention))
                self.names.append(f"stage{stage + 1}_block{i + 1}")
                before = self.blocks[-1].after
        self.head = nn.Linear(before, classes)

    def forward(self, x: Any) -> Any:
        """Returns logits."""
        x = self.pool(torch.relu(self.norm(self.stem(x))))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))
