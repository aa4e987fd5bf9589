"""The training ground: its clock goes forward, all on the way happens at its own time, nothing real is touched."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersales import clock, database, queries
from aftersales.clock import whole_second
from aftersales.decide import NewTicket
from aftersales.sandbox import NotASandbox, Sandbox, is_sandbox, make
from tests.unit.test_cli import typed
from tests.web.conftest import made_world

HOURS_48 = timedelta(hours=48)


@pytest.fixture(scope="module")
def ground_url(tmp_path_factory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('ground')}/sandbox.db"
    make(url)
    return url


@pytest.fixture
def ground(ground_url):
    world = made_world(ground_url)
    yield Sandbox(world.desk)
    clock.run_ahead(timedelta())


def test_what_is_due_on_the_way_fires_at_its_own_time(ground):
    now = whole_second(clock.now())
    facts = {"paid_fen": 32900, "reason": "size"}
    new = NewTicket("exchange", "kuaishou", "apply", "buyer", now, facts, "快进", "马丁靴", "梅子酱")
    ticket = ground.desk.open(new, shop="我的店铺")
    ground.forward(HOURS_48 - timedelta(minutes=1))
    assert queries.ticket(ground.desk.engine, ticket.id).state == "pending_merchant_review"
    went = ground.forward(timedelta(days=11))
    mine = [event for moved, event in went.fired if moved.id == ticket.id and event.kind == "move"]
    assert [event.at for event in mine] == [now + HOURS_48, now + HOURS_48 + timedelta(days=10)]
    assert all(event.recorded_at - event.at == timedelta(seconds=1) for event in mine)
    assert [event.recorded_at for _, event in went.fired] == sorted(event.recorded_at for _, event in went.fired)
    assert abs(clock.now() - went.end) < timedelta(seconds=5)


def test_the_next_event_is_one_step_away(ground):
    alarm = ground.desk.next_alarm()
    went = ground.to_the_next_alarm()
    assert went.fired
    assert all(event.recorded_at == alarm + timedelta(seconds=1) for _, event in went.fired)


def test_its_clock_goes_on_where_it_was(ground):
    ground.forward(timedelta(days=1))
    clock.run_ahead(timedelta())
    assert Sandbox(ground.desk).ahead == ground.ahead


def test_sixty_days_at_once_are_the_most(ground):
    went = ground.forward(timedelta(days=1000))
    assert went.end - went.start == timedelta(days=60)


def test_a_real_database_has_no_clock_that_can_be_moved(database_url):
    world = made_world(database_url)
    assert not is_sandbox(world.engine)
    with pytest.raises(NotASandbox, match=r"^这个数据库不是训练场，时间不能快进$"):
        Sandbox(world.desk)


def test_a_real_database_is_never_made_a_training_ground(sqlite_url, postgres_url):
    file = sqlite_url.removeprefix("sqlite:///")
    with pytest.raises(NotASandbox, match=f"^{file} 不是训练场的数据库，不会动它。请换一个文件$"):
        make(sqlite_url, fresh=True)
    with pytest.raises(NotASandbox, match="训练场只能用自己的 SQLite 文件"):
        make(postgres_url)
    assert database.check_schema(sqlite_url).found


def test_the_commands_keep_real_and_training_apart(ground_url, sqlite_url):
    for command in (["serve"], ["scheduler", "--once"]):
        refused = typed(*command, AFTERSALES_DATABASE_URL=ground_url)
        assert (refused.returncode, refused.stderr) == (2, "这个数据库是训练场，请用 aftersales serve --sandbox 打开\n")
    refused = typed("serve", "--sandbox", "--fresh", "--db", sqlite_url)
    assert refused.returncode == 2
    assert "不是训练场的数据库" in refused.stderr
