"""CIFAR from files: whole ones are read, all others are named."""

import hashlib
import io
import pickle
import tarfile

import keras
import numpy as np
import pytest

from stepkit.datasets import cifar, cifar10, cifar100

LOADERS = {"CIFAR-10": cifar10, "CIFAR-100": cifar100}
SOURCES = {"CIFAR-10": cifar.CIFAR10, "CIFAR-100": cifar.CIFAR100}


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    """A tenth of a thousandth would not have all classes; a thousand images are quick."""
    monkeypatch.setattr(cifar, "IMAGES", {"train": 1000, "test": 200})


def arrays(classes, rng=None):
    rng = rng or np.random.default_rng()
    found = {}
    for part, count in cifar.IMAGES.items():
        found[f"x_{part}"] = rng.integers(0, 256, size=(count, 32, 32, 3), dtype=np.uint8)
        found[f"y_{part}"] = rng.permutation(np.arange(count) % classes)
    return found


def npz(path, **changes):
    np.savez(path, **{**arrays(10), **changes})
    return path


def archive(path, source, found):
    """An archive as the publishers pack it, batch after batch, colour planes one after another."""
    with tarfile.open(path, "w:gz") as file:
        for part, names in source.batches.items():
            images = found[f"x_{part}"].transpose(0, 3, 1, 2).reshape(-1, 3072)
            parts = [np.array_split(v, len(names)) for v in (images, found[f"y_{part}"])]
            for name, x, y in zip(names, *parts, strict=True):
                data = pickle.dumps({b"data": x, source.labels: y.tolist()})
                member = tarfile.TarInfo(f"{source.folder}/{name}")
                member.size = len(data)
                file.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", LOADERS)
def test_an_archive_is_read(name, tmp_path, monkeypatch):
    source = SOURCES[name]
    found = arrays(source.classes)
    path = archive(tmp_path / "cifar.tar.gz", source, found)
    monkeypatch.setattr(source, "digest", hashlib.sha256(path.read_bytes()).hexdigest())
    (x, y), (x_test, y_test) = LOADERS[name](path)
    for received, key in ((x, "x_train"), (y, "y_train"), (x_test, "x_test"), (y_test, "y_test")):
        np.testing.assert_array_equal(received, found[key])
    assert x.dtype == np.uint8
    assert y.dtype == np.int64


def test_an_npz_is_read_in_both_formats(tmp_path):
    found = arrays(10)
    np.savez(tmp_path / "c.npz", **found)
    (x, _), (_, y_test) = cifar10(str(tmp_path / "c.npz"))
    np.testing.assert_array_equal(x, found["x_train"])
    np.testing.assert_array_equal(y_test, found["y_test"])
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        (x, _), _ = cifar10(tmp_path / "c.npz")
    finally:
        keras.config.set_image_data_format(before)
    np.testing.assert_array_equal(x, found["x_train"].transpose(0, 3, 1, 2))


def test_a_partial_archive_is_named(tmp_path):
    path = archive(tmp_path / "cifar-10-python.tar.gz", cifar.CIFAR10, arrays(10))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"(?s)cifar-10-python.*5,000 bytes.*cut short"):
        cifar10(path)


def test_a_strangers_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("it was opened",))

    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        data = pickle.dumps(Trap())
        member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        member.size = len(data)
        file.addfile(member, io.BytesIO(data))
    with pytest.raises(ValueError, match="as published"):
        cifar10(path)


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: flipped(npz(p)), r"c\.npz must be a whole \.npz file"),
        (lambda p: (p.write_bytes(npz(p).read_bytes()[:-9000]), p)[1], "must be a whole"),
        (lambda p: (p.write_bytes(b""), p)[1], "must be a whole"),
        (lambda p: (np.savez(p, x_train=np.ones(3)), p)[1], r"missing: \['y_train'"),
        (lambda p: npz(p, x_train=np.zeros((999, 32, 32, 3), np.uint8)), "Is it partial"),
        (lambda p: npz(p, x_test=np.ones((200, 32, 32, 3), "float32")), "float32"),
        (lambda p: npz(p, y_train=np.zeros(1000, int)), "100 images of each class"),
        (lambda p: npz(p, y_train=np.arange(1000) % 11), "each class 0 to 9"),
        (lambda p: npz(p, y_test=np.arange(200) % 10 - 1), "each class"),
        (lambda p: npz(p, y_test=np.linspace(0, 9, 200)), "each class"),
        (lambda p: npz(p, x_test=np.zeros((200, 32, 32, 3), np.uint8)), "all zeros"),
    ],
)
def test_whatever_is_not_whole_is_named(make, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        cifar10(make(tmp_path / "c.npz"))


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must be a file.*nothing\.npz"):
        cifar10(tmp_path / "nothing.npz")


@pytest.mark.parametrize("name", LOADERS)
def test_without_a_network_it_says_what_to_do(name, monkeypatch):
    def offline():
        raise Exception("URL fetch failure: [Errno -3] Temporary failure in name resolution")

    monkeypatch.setattr(SOURCES[name].loader, "load_data", offline)
    with pytest.raises(OSError, match=rf"(?s){name} is not on this machine.*give `path`"):
        LOADERS[name]()


def test_keras_loader_is_used_and_looked_at(monkeypatch):
    found = arrays(10)
    pair = [(found[f"x_{p}"], found[f"y_{p}"][:, None]) for p in ("train", "test")]
    monkeypatch.setattr(cifar.CIFAR10.loader, "load_data", lambda: pair)
    (x, y), _ = cifar10()
    np.testing.assert_array_equal(x, found["x_train"])
    assert y.shape == (1000,)
    pair[0] = (pair[0][0][:500], pair[0][1][:500])
    with pytest.raises(ValueError, match="Is it partial"):
        cifar10()
