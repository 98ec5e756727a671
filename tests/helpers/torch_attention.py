"""Channel attention in PyTorch, channels first, written from the definitions of the papers.

Each module takes `(branch, shortcut)` and returns the gated branch. `load` copies the weights of a
layer of `stepkit.attention`, by shape and meaning.
"""

import numpy as np
import torch
from torch import nn


def _tensor(variable):
    return nn.Parameter(torch.tensor(np.array(variable), dtype=torch.float32))


def _dense(linear, layer):
    linear.weight = nn.Parameter(_tensor(layer.kernel).T.contiguous())
    if layer.use_bias:
        linear.bias = _tensor(layer.bias)


def _batch_norm(norm, layer):
    norm.weight, norm.bias = _tensor(layer.gamma), _tensor(layer.beta)
    norm.running_mean = _tensor(layer.moving_mean).data
    norm.running_var = _tensor(layer.moving_variance).data


class SE(nn.Module):
    def __init__(self, channels, hidden, bias=True, source="branch"):
        super().__init__()
        self.pool, self.source = nn.AdaptiveAvgPool2d(1), source
        self.net = nn.Sequential(
            nn.Linear(channels, hidden, bias=bias),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=bias),
            nn.Sigmoid(),
        )

    def load(self, layer):
        _dense(self.net[0], layer.squeeze)
        _dense(self.net[2], layer.excite)

    def forward(self, f, x):
        seen = f if self.source == "branch" else x
        return f * self.net(self.pool(seen).flatten(1))[:, :, None, None]


class ECA(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv = nn.Conv1d(1, 1, size, padding=(size - 1) // 2, bias=False)

    def load(self, layer):
        self.conv.weight = nn.Parameter(_tensor(layer.kernel)[None, None])

    def forward(self, f, x):
        along = self.pool(f).squeeze(-1).transpose(-1, -2)
        return f * torch.sigmoid(self.conv(along).transpose(-1, -2).unsqueeze(-1))


class SRM(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, 2))
        self.norm = nn.BatchNorm1d(channels)

    def load(self, layer):
        self.weight = _tensor(layer.integration.kernel)
        _batch_norm(self.norm, layer.integration.norm)

    def forward(self, f, x):
        flat = f.flatten(2)
        style = torch.stack([flat.mean(2), (flat.var(2) + 1e-5).sqrt()], 2)
        return f * torch.sigmoid(self.norm((style * self.weight).sum(2)))[:, :, None, None]


class GCT(nn.Module):
    def __init__(self, channels):
        super().__init__()
        shape = (1, channels, 1, 1)
        self.alpha = nn.Parameter(torch.ones(shape))
        self.gamma, self.beta = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(shape))

    def load(self, layer):
        for name in ("alpha", "gamma", "beta"):
            setattr(self, name, nn.Parameter(_tensor(getattr(layer, name))[None, :, None, None]))

    def forward(self, f, x):
        embedding = (f.pow(2).sum((2, 3), keepdim=True) + 1e-5).pow(0.5) * self.alpha
        norm = self.gamma / (embedding.pow(2).mean(dim=1, keepdim=True) + 1e-5).pow(0.5)
        return f * (1.0 + torch.tanh(embedding * norm + self.beta))


class CBAM(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(1)

    def load(self, layer):
        _dense(self.net[0], layer.squeeze)
        _dense(self.net[2], layer.excite)
        self.conv.weight = nn.Parameter(_tensor(layer.conv.kernel).permute(3, 2, 0, 1).contiguous())
        _batch_norm(self.norm, layer.norm)

    def forward(self, f, x):
        logits = self.net(f.mean((2, 3))) + self.net(f.amax((2, 3)))
        f = f * torch.sigmoid(logits)[:, :, None, None]
        summary = torch.cat([f.amax(1, keepdim=True), f.mean(1, keepdim=True)], 1)
        return f * torch.sigmoid(self.norm(self.conv(summary)))


class Constant(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(channels))

    def load(self, layer):
        self.logit = _tensor(layer.logit)

    def forward(self, f, x):
        return f * torch.sigmoid(self.logit)[None, :, None, None]


class StepNetPair(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.first, self.second = nn.Linear(2 * channels, hidden), nn.Linear(hidden, channels)

    def load(self, layer):
        _dense(self.first, layer.estimate.squeeze)
        _dense(self.second, layer.estimate.excite)

    def forward(self, f, x):
        predictor = x + f
        seen = torch.cat([x.mean((2, 3)), predictor.mean((2, 3))], 1)
        return f * torch.sigmoid(self.second(torch.relu(self.first(seen))))[:, :, None, None]


class StepNetStatistics(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, 4))
        self.norm = nn.BatchNorm1d(channels)

    def load(self, layer):
        self.weight = _tensor(layer.estimate.integration.kernel)
        _batch_norm(self.norm, layer.estimate.integration.norm)

    def forward(self, f, x):
        seen = []
        for state in (x, x + f):
            flat = state.flatten(2)
            seen += [flat.mean(2), (flat.var(2) + 1e-5).sqrt()]
        z = (torch.stack(seen, 2) * self.weight).sum(2)
        return f * torch.sigmoid(self.norm(z))[:, :, None, None]


class StepNetIndex(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def load(self, layer):
        self.weight, self.bias = _tensor(layer.estimate.kernel), _tensor(layer.estimate.bias)

    def forward(self, f, x):
        index = f.flatten(2).norm(dim=2) / (x.flatten(2).norm(dim=2) + 1e-3)
        z = nn.functional.layer_norm(torch.log(index + 1e-3), index.shape[1:])
        return f * torch.sigmoid(self.weight * z + self.bias)[:, :, None, None]
