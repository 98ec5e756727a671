"""The `course` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from stepkit.course.trouble import Trouble

DESCRIPTION = """\
Work through the course and check your answers.

  course start                    copy the lessons that you do not have yet to work/
  course check 01                 run your notebook of lesson 01 and check every exercise
  course progress                 show the points that you have
  course reset 01.euler_step      put one exercise back to how it was (a backup is kept)

For those who write lessons:

  course build                    write lessons/ and solutions/ from solutions/src/
  course verify                   prove that the checks tell right from wrong
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        return given.run(given) or 0
    except Trouble as trouble:
        print(f"course: {trouble}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == "stepkit":
            raise
        print(
            f"course: this command needs {missing.name}, which is not installed here. It is for "
            f"those who write lessons: `make test` installs it.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("course: stopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="course",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    start = commands.add_parser("start", help="copy lessons that are not there yet to work/")
    start.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 01 (default: all)")
    start.set_defaults(run=_start)

    check = commands.add_parser("check", help="run a notebook and check its exercises")
    check.add_argument("notebook", help="a notebook, or a lesson such as 01")
    check.add_argument("--timeout", type=float, default=300, metavar="S", help="seconds per cell")
    check.set_defaults(run=_check)

    progress = commands.add_parser("progress", help="show the points that you have")
    progress.set_defaults(run=_progress)

    reset = commands.add_parser("reset", help="put an exercise or a lesson back (with a backup)")
    reset.add_argument("target", metavar="EXERCISE|LESSON", help="such as 01.euler_step, or 01")
    reset.add_argument("--notebook", metavar="PATH", help="your notebook, if it is not in work/")
    reset.set_defaults(run=_reset)

    build = commands.add_parser("build", help="write the notebooks from the masters")
    build.add_argument("--check", action="store_true", help="only say what would change")
    build.set_defaults(run=_build)

    verify = commands.add_parser("verify", help="prove that the checks tell right from wrong")
    verify.add_argument("ids", nargs="*", metavar="LESSON|EXERCISE", help="default: all")
    verify.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    verify.add_argument("--fresh", action="store_true", help="do not use remembered results")
    verify.set_defaults(run=_verify)
    return parser


def _start(given: argparse.Namespace) -> int:
    from stepkit.course import desk

    return desk.start(given.lessons)


def _check(given: argparse.Namespace) -> int:
    from stepkit.course import runner

    return runner.check(given.notebook, given.timeout)


def _progress(given: argparse.Namespace) -> int:
    from stepkit.course import progress

    print(progress.table())
    return 0


def _reset(given: argparse.Namespace) -> int:
    from stepkit.course import desk

    return desk.reset(given.target, given.notebook)


def _build(given: argparse.Namespace) -> int:
    from stepkit.course import publishing

    return publishing.build(only_look=given.check)


def _verify(given: argparse.Namespace) -> int:
    from stepkit.course import verify

    return verify.run(given.ids, given.json, fresh=given.fresh)


if __name__ == "__main__":
    sys.exit(main())
