"""A worker as a process of its own, to be killed: `python outbox_process.py <database>`."""

import sys
import threading

sys.path.insert(0, sys.path[0].removesuffix("/tests/unit"))

from aftersales.office import endpoints
from aftersales.outbound import worker
from tests.unit.outside import desk_on, worker_on

worker.LEASE = worker.timedelta(seconds=2)
worker.WHOLE_SECONDS = worker.LOOK_UP_SECONDS = 0.5
assert endpoints
worker_on(desk_on(sys.argv[1])).start()
threading.Event().wait()
