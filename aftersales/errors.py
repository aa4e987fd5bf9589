"""What can go wrong, in words for people."""

from __future__ import annotations


class Refused(Exception):
    """A step that may not be taken. The ticket is unchanged. `code` is one of scenarios/FORMAT.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        return Refused, (self.code, self.message)


class UnknownTicket(LookupError):
    """No ticket of that number."""


class TablesUnsound(Exception):
    """Rule tables that do not hold together; `check` says where and what to do."""
