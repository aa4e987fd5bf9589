"""Starts schedulers by the hundred: everything is imported once, and each scheduler is a fork.

python forked_schedulers.py URL BATCH    each line read from stdin starts one; its pid is printed
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from aftersales.scheduler import Scheduler
from tests.faults.due_tickets import desk_on


def main():
    url, batch = sys.argv[1], int(sys.argv[2])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            Scheduler(desk_on(url), poll_seconds=0.2, batch=batch).start()
            while True:
                signal.pause()
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
