"""A shop at work for test_backup.py: answers `open <number>` on its standard output for each ticket it has opened."""

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from aftersales import clock
from aftersales.desk import Command
from aftersales.office import evidence
from aftersales.settings import Settings
from tests.faults.due_tickets import LIMIT, application, desk_on

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"


def main(url: str, folder: str, named: str) -> None:
    desk = desk_on(url)
    place = evidence.Folder.of(Settings(database_url=url, evidence_dir=Path(folder)))
    number = 0
    while True:
        number += 1
        # each second one is overdue at once, for the scheduler beside
        ago = LIMIT + timedelta(seconds=5) if number % 2 else timedelta(0)
        new = replace(application(clock.now() - ago), order_no=f"{named} {number}")
        ticket = desk.open(new, shop="shop")
        if number % 5 == 0:
            incoming = evidence.Incoming(place, "a.png")
            incoming.write(PNG + f"{named} {number}".encode())
            files = [incoming.close()]
            command = Command(ticket.id, "add_evidence", "agent", clock.now(), {"kind": "photo"})
            evidence.record(desk, place, command, files)
        sys.stdout.write(f"open {ticket.number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
