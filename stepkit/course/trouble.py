"""Something that the user of the `course` command can mend."""


class Trouble(Exception):
    """Ends a command with one clear sentence and exit code 2."""
