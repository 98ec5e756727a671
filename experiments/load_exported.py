"""Runs exported models without Keras and without stepkit: the other end of `experiments.export`.

    python experiments/load_exported.py FOLDER NAME.FORMAT ...

For each artefact `FOLDER/NAME.FORMAT` it reads the inputs `FOLDER/NAME.npz` (one array for each
batch size), writes the answers to `FOLDER/NAME.FORMAT.npz`, and prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np


def saved_model(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A TensorFlow SavedModel."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda x: np.asarray(loaded.serve(tf.constant(x)))


def onnx(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """An ONNX graph in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (needed,) = session.get_inputs()
    return lambda x: session.run(None, {needed.name: x})[0]


def litert(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A LiteRT flat buffer, in TensorFlow's own interpreter."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_path=str(path))
    (needed,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(x: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(needed["index"], x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(needed["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(given["index"])

    return run


def torch(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A torch ExportedProgram."""
    import torch

    module = torch.export.load(path).module()
    return lambda x: module(torch.from_numpy(x)).detach().numpy()


LOADERS = {"tf_saved_model": saved_model, "onnx": onnx, "litert": litert, "torch": torch}


def answer(folder: Path, name: str) -> dict[str, str]:
    """Runs one artefact on all batch sizes; returns what went wrong, by batch size."""
    stem, form = name.split(".")
    try:
        run = LOADERS[form](artefact(folder, name))
    except Exception as error:
        return {"load": said(error)}
    answers, troubles = {}, {}
    for size, x in np.load(folder / f"{stem}.npz").items():
        try:
            answers[size] = run(x)
        except Exception as error:
            troubles[size] = said(error)
    np.savez(folder / f"{name}.npz", **answers)
    return troubles


def artefact(folder: Path, name: str) -> Path:
    """Where an artefact lies: Keras and torch insist on some endings."""
    ending = {"litert": ".tflite", "torch": ".pt2"}.get(name.split(".")[1], "")
    return folder / (name + ending)


def said(error: BaseException) -> str:
    """An error in one line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}"


def main() -> None:
    """One line for each artefact."""
    sys.modules.update({"keras": None, "stepkit": None})  # an import of them is an ImportError
    folder, *names = sys.argv[1:]
    for name in names:
        troubles = answer(Path(folder), name)
        print("ROW " + json.dumps({"cell": name, "troubles": troubles}), flush=True)


if __name__ == "__main__":
    main()
