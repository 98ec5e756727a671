"""The classroom: checks, progress and the `course` command. The library never imports it."""

from stepkit.course.notebook import check, checkpoint, lesson, predict, use

__all__ = ["check", "checkpoint", "lesson", "predict", "use"]
