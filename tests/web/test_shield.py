"""Before everything: forms of other sites, forms too big, and the headers of every answer."""

import re

import pytest
from starlette.testclient import TestClient

from aftersales.database import DatabaseBusy
from aftersales.store import Stale, Taken
from tests.web.conftest import Page
from web.shield import HEADERS, comes_from_elsewhere


@pytest.mark.parametrize(
    ("says", "let_in"),
    [
        # Fetch-Metadata decides where a browser sends it
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": ""}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://testserver"}, False),
        # else the origin
        ({"origin": "http://testserver"}, True),
        ({"origin": "https://TESTSERVER"}, True),
        ({"origin": "http://testserver.evil.example"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://testserver:8000"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "http://["}, False),
        # no browser
        ({}, True),
    ],
)
def test_forms_of_other_sites_are_refused(world, browser, says, let_in):
    number = world.open().number
    form = browser.get(f"/t/{number}/approve").form
    response = browser.client.post(form.action, data=dict(form.values), headers=says, follow_redirects=False)
    assert response.status_code == (303 if let_in else 403)
    assert world.ticket(number).state == ("awaiting_buyer_return" if let_in else "pending_merchant_review")
    if not let_in:
        assert "不是从本站的页面发出的" in Page(response).text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "QUERY"])
def test_every_method_that_may_change_something_is_looked_at(browser, method):
    assert browser.client.request(method, "/", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert browser.client.request(method, "/", headers={"sec-fetch-site": "same-origin"}).status_code == 405


def test_reading_from_another_site_is_no_attack(browser):
    assert browser.client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_a_page_without_a_host_is_nobody_s_page():
    assert comes_from_elsewhere({"origin": "null"})


ANSWERS = [
    ("GET", "/", 200), ("GET", "/new", 200), ("GET", "/nothing", 404), ("POST", "/", 405), ("GET", "/healthz", 200),
    ("POST", "/new/exchange", 400), ("GET", "/assets/desk.css", 404), ("GET", "/assets/nothing.css", 404),
    ("GET", "/docs", 404), ("GET", "/openapi.json", 404), ("GET", "/assets/../app.py", 404),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_every_answer_carries_the_headers(browser, method, path, status):
    response = browser.client.request(method, path, follow_redirects=False)
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS


def test_the_policy_allows_nothing_inline_and_pages_need_nothing_inline(world, browser):
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    number = world.open().number
    for path in ("/", "/new", "/new/refund", f"/t/{number}", f"/t/{number}/reject", "/nothing"):
        page = browser.get(path)
        assert not [tag for tag, _ in page.tags if tag in ("style", "iframe", "object")]
        scripts = [a for tag, a in page.tags if tag == "script"]
        assert all(a.get("src", "").startswith("/assets/") and a["integrity"] for a in scripts)
        for _, attributes in page.tags:
            assert not [name for name in attributes if name == "style" or name.startswith("on")]
        addresses = [a.get("href") or a.get("src") or a.get("action") or "/" for _, a in page.tags]
        assert all(address.startswith(("/", "#", "?")) for address in addresses)


def test_the_stylesheet_is_kept_for_ever_under_the_name_of_its_content(browser):
    page = browser.get("/")
    files = [a["href"] for tag, a in page.tags if tag == "link"] + [a["src"] for tag, a in page.tags if tag == "script"]
    assert {re.sub(r"[.][0-9a-f]{12}", "", file) for file in files} >= {"/assets/desk.css", "/assets/tabler.min.css"}
    for address in files:
        answer = browser.client.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert browser.client.get(re.sub(r"[0-9a-f]{12}", "0" * 12, address)).status_code == 404
    assert browser.client.get("/").headers["cache-control"] == "private, no-cache"


# ── too big ──


def test_a_form_too_big_is_told_so(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/note").form
    answer = browser.send(form, form.filled(text="x" * 10_000_000))
    assert answer.status == 413
    assert "整张表单最多 2 MB" in answer.text
    assert answer.response.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    assert world.ticket(number).version == 1


def test_a_form_too_big_that_does_not_say_how_big_is_told_so_too(world, browser):
    number = world.open().number

    def parts():
        yield b"_version=1&_key=0123456789abcdef&_as=agent&text="
        for _ in range(100):
            yield b"x" * 100_000

    kind = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
    response = browser.client.post(f"/t/{number}/note", content=parts(), headers=kind)
    assert response.status_code == 413
    assert "整张表单最多 2 MB" in Page(response).text


def part(of, value):
    return f"--x\r\nContent-Disposition: form-data; {of}\r\n\r\n{value}\r\n--x--\r\n".encode()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"_version": NaN}'),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % n for n in range(2000))),
        ("application/x-www-form-urlencoded", b"%ff%fe=%00&" * 10),
        ("multipart/form-data", b"--x"),
        ("multipart/form-data; boundary=x", b"nonsense"),
        ("multipart/form-data; boundary=x", part('name="text"; filename="a"', "1")),
        ("multipart/form-data; boundary=x; charset=undefined", part('name="text"', "1")),
        ("multipart/form-data; boundary=x; charset=unicode_escape", part('name="\\ud800"', "\\ud800")),
        ("", b"1"),
    ],
)  # fmt: skip
def test_what_is_no_form_of_ours_is_refused(world, browser, kind, body):
    number = world.open().number
    response = browser.client.post(f"/t/{number}/note", content=body, headers={"content-type": kind})
    assert response.status_code == 400
    assert "没有" in response.text or "表单" in response.text


def test_a_lone_surrogate_smuggled_in_by_a_charset_is_refused_and_shown(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/note").form
    fields = {**dict(form.values), "text": "a\\ud800b"}
    body = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    kind = {"content-type": "multipart/form-data; boundary=x; charset=unicode_escape", "sec-fetch-site": "same-origin"}
    answer = Page(browser.client.post(form.action, content=f"{body}--x--\r\n", headers=kind))
    assert answer.status == 422
    assert "内容：含有不能保存的字符" in answer.text
    assert answer.form.get("text") == "a?b"


# ── when it cannot be done ──


@pytest.mark.parametrize("error", [DatabaseBusy("数据库正忙，请稍后再试"), Stale([1]), Taken("number")])
def test_a_busy_database_is_a_503_that_says_when_to_come_back(world, browser, monkeypatch, error):
    number = world.open().number
    form = browser.get(f"/t/{number}/approve").form

    def busy(*_):
        raise error

    monkeypatch.setattr(world.desk, "do", busy)
    answer = browser.send(form)
    assert answer.status == 503
    assert answer.response.headers["retry-after"] == "5"
    assert "几秒后请再试一次" in answer.text


def test_a_database_that_is_away_is_a_503(world, browser):
    with world.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE shop")
    answer = browser.get("/")
    assert answer.status == 503
    assert "shop" not in answer.text


def test_an_error_of_ours_is_a_page_with_headers_and_without_details(world, browser, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("secret 13800138000")

    monkeypatch.setattr("aftersales.queries.queue", broken)
    client = TestClient(browser.client.app, raise_server_exceptions=False)
    page = Page(client.get("/"))
    assert page.status == 500
    assert "系统出错" in page.text
    assert "secret" not in page.html
    assert {name: page.response.headers.get(name) for name in HEADERS} == HEADERS


def test_an_error_under_a_json_address_is_json(browser):
    response = browser.client.get("/t/EX-990101-0001.json")
    assert response.status_code == 404
    assert "没有编号为 EX-990101-0001 的工单" in response.json()["message"]
