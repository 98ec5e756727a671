"""`python -m stepkit.course` is the `course` command."""

import sys

from stepkit.course.cli import main

sys.exit(main())
