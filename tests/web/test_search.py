"""What the palette asks while somebody types."""

from tests.web.languages import untranslated


def asked(browser, text):
    answer = browser.client.get("/search.json", params={"q": text})
    assert answer.status_code == 200
    return answer.json()["tickets"]


def test_a_ticket_is_found_while_somebody_types(world, browser):
    ticket = world.open(ago=28.5)
    world.do(ticket, "note", text="外箱<b>破损")
    (found,) = asked(browser, "破损")
    assert found == {
        "id": ticket.id, "number": ticket.number, "address": f"/t/{ticket.number}", "shop": "我的店铺",
        "workflow": "换货", "state": "待商家审核", "closed": False, "buyer": "梅子酱", "order_no": "订单0001",
        "due": "2026-10-03T10:02:00+08:00", "left": "剩 19 小时 30 分", "urgency": found["urgency"],
    }  # fmt: skip
    assert asked(browser, "破了") == []
    assert asked(browser, "") == []


def test_ten_at_most_and_open_ones_first(world, browser):
    tickets = [world.open() for _ in range(12)]
    world.do(tickets[-1], "cancel", "buyer")
    found = asked(browser, "马丁")
    assert [one["id"] for one in found] == [ticket.id for ticket in tickets[-2:0:-1]]
    assert not any(one["closed"] for one in found)


def test_shops_with_the_same_numbers_are_told_apart(world, browser):
    one, other = world.open(), world.open(shop="分店")
    assert one.number == other.number
    assert {found["address"] for found in asked(browser, one.number)} == {f"/t/{one.id}", f"/t/{other.id}"}


def test_whatever_is_typed_is_answered(world, browser):
    world.open()
    for text in ("\0", "\ud7ff", "a" * 20_000, "梅子 " * 3_000, '"" OR *', "pairs:梅", "NEAR(梅 子)", "^梅"):
        assert isinstance(asked(browser, text), list)


def test_in_english_the_time_left_is_english(world, browser):
    world.open(ago=28.5)
    browser.client.cookies.set("language", "en")
    (found,) = asked(browser, "梅子")
    assert untranslated(f"<p>{found['left']}</p>") == []
