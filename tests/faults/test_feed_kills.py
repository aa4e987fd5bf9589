"""Workers killed in the middle of their work: no message is lost, and none has its effect twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from aftersales import audit, clock, database
from tests.conftest import BACKENDS, fresh_database
from tests.unit.test_feeds import RULES, Shop, ks

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("FEED_KILLS", "12"))
#: the program of one worker, whose lease is short so that the test does not wait for it
WORKER = """
import sys
from datetime import timedelta
from aftersales.application import assemble
from aftersales.settings import Settings
from aftersales.feeds.work import work
from aftersales.office import feeds
feeds.LEASE = timedelta(seconds=1)
application = assemble(Settings(database_url=sys.argv[1]))
print("ready", flush=True)
while True:
    work(application.desk)
"""


@pytest.mark.parametrize("kind", BACKENDS)
def test_killed_workers_lose_and_double_nothing(kind):
    shop, many = Shop(url := fresh_database(kind)), 40
    sent = clock.now() - timedelta(minutes=2)
    for number in range(many):
        for n, status in enumerate((10, 30, 60)):
            at = sent + timedelta(seconds=n)
            shop.tell("kuaishou", ks(status, at, number=f"N{number}", oid=f"D{number}"), at=clock.now())
    chance = random.Random(7)
    for _ in range(KILLS):
        with subprocess.Popen([sys.executable, "-c", WORKER, url], cwd=ROOT, stdout=subprocess.PIPE) as worker:
            worker.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.25))
            worker.send_signal(signal.SIGKILL)
    began = time.monotonic()
    while _waiting(shop):
        assert time.monotonic() - began < 60
        shop.work(clock.now() + timedelta(seconds=61))
    with database.reading(shop.desk.engine) as connection:
        states = connection.exec_driver_sql("SELECT state, count(*) FROM ticket GROUP BY state").all()
        dead = connection.exec_driver_sql("SELECT count(*) FROM feed_message WHERE state <> 'done'").scalar()
        events = connection.exec_driver_sql("SELECT max(version) FROM ticket").scalar()
    assert [tuple(row) for row in states] == [("refunded", many)]
    assert dead == 0
    assert events == 3
    assert audit.audit(shop.desk.engine, RULES).ok


def _waiting(shop):
    with database.reading(shop.desk.engine) as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM feed_message WHERE state = 'new'").scalar()
