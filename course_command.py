"""The `course` program: it asks TensorFlow to be quiet before Keras loads it."""

import os


def main() -> int:
    """Run `stepkit.course.cli` with fewer messages from TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    from stepkit.course.cli import main as command

    return command()
