"""The CIFAR ResNet in PyTorch, written from the paper's description, without attention."""

import numpy as np
import torch
from torch import nn


def _copy(parameter, array):
    assert tuple(parameter.shape) == array.shape
    parameter.data = torch.tensor(array)


def _load_conv(conv, layer):
    kernel = np.asarray(layer.get_weights()[0])
    _copy(conv.weight, np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))


def _load_norm(norm, layer):
    for name, array in zip(
        ("weight", "bias", "running_mean", "running_var"), layer.get_weights(), strict=True
    ):
        _copy(getattr(norm, name), array)


class Bottleneck(nn.Module):
    def __init__(self, before, planes, stride, kind):
        super().__init__()
        three = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        if kind == "bottleneck":
            after = 4 * planes
            convs = [nn.Conv2d(before, planes, 1, bias=False), three]
            convs.append(nn.Conv2d(planes, after, 1, bias=False))
        else:
            after = planes
            convs = [nn.Conv2d(before, planes, 3, stride, 1, bias=False)]
            convs.append(nn.Conv2d(planes, planes, 3, 1, 1, bias=False))
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(conv.out_channels) for conv in convs)
        self.shortcut = None
        if stride != 1 or before != after:
            self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False)
            self.shortcut_norm = nn.BatchNorm2d(after)
        self.after = after

    def load(self, model, name):
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True), start=1):
            _load_conv(conv, model.get_layer(f"{name}_conv{i}"))
            _load_norm(norm, model.get_layer(f"{name}_bn{i}"))
        if self.shortcut is not None:
            _load_conv(self.shortcut, model.get_layer(f"{name}_shortcut"))
            _load_norm(self.shortcut_norm, model.get_layer(f"{name}_shortcut_bn"))

    def forward(self, x):
        y = x
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            y = norm(conv(torch.relu(y) if i else y))
        if self.shortcut is not None:
            x = self.shortcut_norm(self.shortcut(x))
        return torch.relu(x + y)


class TorchResNet(nn.Module):
    def __init__(self, blocks, width, block, kind, channels=3, classes=10):
        super().__init__()
        self.stem, self.norm = (
            nn.Conv2d(channels, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.blocks, self.names, before = nn.ModuleList(), [], width
        for stage in range(3):
            for i in range(blocks):
                stride = 2 if stage and not i else 1
                self.blocks.append(block(before, width * 2**stage, stride, kind))
                self.names.append(f"stage{stage + 1}_block{i + 1}")
                before = self.blocks[-1].after
        self.head = nn.Linear(before, classes)

    def load(self, model):
        _load_conv(self.stem, model.get_layer("stem"))
        _load_norm(self.norm, model.get_layer("stem_bn"))
        for name, block in zip(self.names, self.blocks, strict=True):
            block.load(model, name)
        kernel, bias = model.get_layer("head").get_weights()
        _copy(self.head.weight, np.ascontiguousarray(kernel.T))
        _copy(self.head.bias, bias)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))
