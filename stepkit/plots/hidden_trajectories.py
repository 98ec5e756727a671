"""How samples move through the depth of a network."""

from typing import Any

import numpy as np

from stepkit.plots._style import axes, styles, to_numpy


def hidden_trajectories(states: Any, labels: Any, *, ax: Any = None) -> Any:
    """Draws the path of each sample through the layers, in the plane of two principal components.

    The components are those of the states at all depths together, so that one plane serves all. A
    path ends in the marker of its class.

    Args:
        states: array `(depth, samples, features...)`, depth at least 2.
        labels: array `(samples,)`, the class of each sample.
        ax: matplotlib Axes. Defaults to `None`: a new one.

    Returns:
        The Axes.

    Raises:
        ValueError: where shapes do not fit.

    Example:
    >>> states = np.random.default_rng(0).normal(size=(4, 6, 3))
    >>> len(hidden_trajectories(states, [0, 0, 0, 1, 1, 1]).get_legend().get_texts())
    2
    """
    states, labels = to_numpy(states), np.asarray(labels)
    if states.ndim < 3 or len(states) < 2 or labels.shape != states.shape[1:2]:
        raise ValueError(
            "`states` must have shape (depth >= 2, samples, features...) and `labels` (samples,). "
            f"Received: shapes {states.shape} and {labels.shape}"
        )
    paths = principal_plane(states.reshape(*states.shape[:2], -1))
    ax = axes(ax)
    classes = np.unique(labels)
    for name, style in zip(classes, styles(len(classes)), strict=True):
        x, y = np.moveaxis(paths[:, labels == name], -1, 0)
        ax.plot(x, y, color=style["color"], linewidth=0.7, alpha=0.5)
        ax.plot(x[-1], y[-1], linestyle="none", markersize=5, label=str(name), **style)
    ax.set(xlabel="first principal component", ylabel="second principal component")
    ax.legend(title="class")
    return ax


def principal_plane(states: np.ndarray) -> np.ndarray:
    """Returns the coordinates of vectors on the last axis along their two main directions.

    Each direction points to where its largest weight is positive: the picture does not flip.
    """
    flat = states.reshape(-1, states.shape[-1])
    centred = flat - flat.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    largest = np.take_along_axis(directions, np.abs(directions).argmax(1)[:, None], axis=1)
    plane = centred @ (directions * np.where(largest < 0, -1.0, 1.0)).T
    missing = 2 - plane.shape[1]  # a single feature has one direction only
    return np.pad(plane, ((0, 0), (0, missing))).reshape(*states.shape[:-1], 2)
