"""The one error of reading a file: nothing of it can be imported, and this says what to do."""

from __future__ import annotations


class IntakeError(Exception):
    """The whole file cannot be read. The message is Chinese, for the person who chose the file."""
