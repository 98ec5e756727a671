"""CIFAR-10 and CIFAR-100: by Keras's own loader, or from a file that is already there."""

import hashlib
import pickle
import tarfile
import zipfile
from pathlib import Path

import keras
import numpy as np

from stepkit import _axes

Split = tuple[np.ndarray, np.ndarray]
IMAGES = {"train": 50_000, "test": 10_000}
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def cifar10(path: str | Path | None = None) -> tuple[Split, Split]:
    """Returns CIFAR-10: 50,000 images for training and 10,000 for testing, 32 x 32, 10 classes.

    Without `path` Keras's own loader fetches them once (170 MB) and keeps them. With `path` nothing
    is fetched. Whatever is read is looked at: all images of all classes must be there.

    Args:
        path: the archive `cifar-10-python.tar.gz`, or a NumPy file `.npz` with the arrays
            `x_train`, `y_train`, `x_test`, `y_test`; images `(n, 32, 32, 3)`, uint8. Defaults to
            `None`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 of shape `(n, 32, 32, 3)`, or
        `(n, 3, 32, 32)` where Keras is configured for channels first; labels int64, `(n,)`.

    Raises:
        FileNotFoundError: where there is no file at `path`.
        ValueError: where the file is corrupt, partial, or something else.
        OSError: without `path`, where nothing can be fetched.

    Example:
    >>> (x_train, y_train), test = cifar10("cifar-10-python.tar.gz")  # doctest: +SKIP
    >>> x_train.shape  # doctest: +SKIP
    (50000, 32, 32, 3)

    Reference: A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images* (2009).
    """
    return _load(CIFAR10, path)


def cifar100(path: str | Path | None = None) -> tuple[Split, Split]:
    """Returns CIFAR-100, with its 100 fine classes; all else as in `cifar10`.

    Args:
        path: as in `cifar10`; the archive is `cifar-100-python.tar.gz`. Defaults to `None`.

    Returns:
        As `cifar10`.

    Raises:
        FileNotFoundError: as in `cifar10`, like the others.
        ValueError: likewise.
        OSError: likewise.

    Example:
    >>> (x_train, y_train), test = cifar100("cifar-100-python.tar.gz")  # doctest: +SKIP

    Reference: A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images* (2009).
    """
    return _load(CIFAR100, path)


class _Source:
    """What an archive holds, and how one knows it."""

    def __init__(self, name, loader, classes, digest, folder, batches, labels) -> None:
        self.name, self.loader, self.classes, self.digest = name, loader, classes, digest
        self.folder, self.batches, self.labels = folder, batches, labels


# The digests are those of Keras's loaders, SHA-256 of the archives.
CIFAR10 = _Source(
    "CIFAR-10",
    keras.datasets.cifar10,
    10,
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    "cifar-10-batches-py",
    {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]},
    b"labels",
)
CIFAR100 = _Source(
    "CIFAR-100",
    keras.datasets.cifar100,
    100,
    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    "cifar-100-python",
    {"train": ["train"], "test": ["test"]},
    b"fine_labels",
)


def _load(source, path):
    if path is None:
        (x, y), (x_test, y_test) = _fetched(source)
        arrays, where = (x, y.ravel(), x_test, y_test.ravel()), f"{source.name} from Keras"
        first = keras.config.image_data_format() == "channels_first"
        arrays = tuple(np.moveaxis(a, 1, -1) if first and a.ndim == 4 else a for a in arrays)
    else:
        path, where = Path(path), str(path)
        if not path.is_file():
            raise FileNotFoundError(f"`path` must be a file. Received: path={where}, not there")
        arrays = _from_npz(path) if path.suffix == ".npz" else _from_archive(source, path)
    x, y, x_test, y_test = arrays
    for part, images, labels in (("train", x, y), ("test", x_test, y_test)):
        _check(source, where, part, images, labels)
    axis = _axes.channel_axis(keras.config.image_data_format())
    x, x_test = (np.moveaxis(images, -1, axis) for images in (x, x_test))
    return (x, y.astype("int64")), (x_test, y_test.astype("int64"))


def _fetched(source):
    try:
        return source.loader.load_data()
    except Exception as error:  # Keras raises a bare Exception where the network is off
        raise OSError(
            f"{source.name} is not on this machine and could not be fetched ({error}). Without a "
            "network, give `path`: the archive of the data set, or an .npz file with the arrays "
            f"{', '.join(ARRAYS)}"
        ) from error


def _from_npz(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in ARRAYS if name not in file]
            if missing:
                raise ValueError(f"missing: {missing}; it holds {sorted(file)}")
            return tuple(file[name] for name in ARRAYS)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} must be a whole .npz file with the arrays {', '.join(ARRAYS)}. "
            f"Received: {error}"
        ) from error


def _from_archive(source, path):
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != source.digest:  # also because reading a pickle runs what is in it
        raise ValueError(
            f"{path} must be the archive of {source.name} for Python, whole and as published "
            f"(SHA-256 {source.digest[:12]}...), or end in .npz. Received: a file of "
            f"{path.stat().st_size:,} bytes with {digest[:12]}...; was the download cut short?"
        )
    arrays = []
    with tarfile.open(path) as archive:
        for part in ("train", "test"):
            members = [f"{source.folder}/{name}" for name in source.batches[part]]
            read = [pickle.load(archive.extractfile(m), encoding="bytes") for m in members]
            images = np.concatenate([batch[b"data"] for batch in read])
            arrays.append(images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
            arrays.append(np.concatenate([batch[source.labels] for batch in read]))
    return tuple(arrays)


def _check(source, where, part, images, labels):
    """Raises `ValueError` unless images and labels are those of a whole part of the data set."""
    count = IMAGES[part]
    shape = (count, 32, 32, 3)
    if images.shape != shape or images.dtype != np.uint8 or labels.shape != (count,):
        raise ValueError(
            f"{where}: the {part} part must have images {shape} of uint8 and {count} labels. "
            f"Received: images {images.shape} of {images.dtype}, labels {labels.shape}. "
            "Is it partial?"
        )
    whole = np.issubdtype(labels.dtype, np.integer) and labels.min() >= 0
    counts = np.bincount(labels, minlength=source.classes) if whole else np.zeros(1)
    if len(counts) != source.classes or set(counts) != {count // source.classes}:
        raise ValueError(
            f"{where}: the {part} part must have {count // source.classes} images of each class "
            f"0 to {source.classes - 1}. Received: {np.unique(labels)[:12].tolist()} ... with "
            f"counts from {counts.min():.0f} to {counts.max():.0f}"
        )
    dark = images.reshape(count, -1).max(axis=1) == 0
    if dark.sum() > count // 1000:
        raise ValueError(
            f"{where}: the {part} part must hold images. Received: {dark.sum()} that are all zeros"
        )
