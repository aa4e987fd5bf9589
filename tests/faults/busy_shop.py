"""A shop at work for test_backup.py: answers `open <number>` on its standard output for each ticket it has opened."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

from aftersales import clock
from aftersales.desk import Command
from aftersales.office import evidence
from aftersales.settings import Settings
from tests.faults.due_tickets import LIMIT, application, desk_on

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"


def open_for_ever(url: str, folder: str, named: str) -> Iterator[str]:
    """The number of each ticket once it is answered."""
    desk = desk_on(url)
    place = evidence.Folder.of(Settings(database_url=url, evidence_dir=Path(folder)))
    for number in count(1):
        # each second one is overdue at once, for the scheduler beside
        ago = LIMIT + timedelta(seconds=5) if number % 2 else timedelta(0)
        ticket = desk.open(replace(application(clock.now() - ago), order_no=f"{named} {number}"), shop="shop")
        if number % 5 == 0:
            incoming = evidence.Incoming(place, "a.png")
            incoming.write(PNG + f"{named} {number}".encode())
            command = Command(ticket.id, "add_evidence", "agent", clock.now(), {"kind": "photo"})
            evidence.record(desk, place, command, [incoming.close()])
        yield ticket.number


def main(*where: str) -> None:
    for number in open_for_ever(*where):
        sys.stdout.write(f"open {number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
