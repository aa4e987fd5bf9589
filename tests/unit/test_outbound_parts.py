"""Signatures, pace, and where a message may go."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersales.errors import Refused
from aftersales.outbound import messenger, pace, reach, signing, topics
from aftersales.outbound.call import Caller
from tests.unit.outside import receiving

DOCS = (Path(__file__).parents[2] / "docs/outbound.md").read_text(encoding="utf-8")
minutes = st.integers(0, 1439)
instants = st.datetimes(datetime(2022, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis asks for them so


def test_the_signature_is_that_of_the_published_vector():
    signed = signing.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_example_of_the_docs_takes_what_we_sign_and_nothing_else():
    known: dict = {}
    exec(re.search(r"```python\n(.*?)```", DOCS, re.DOTALL)[1], known)
    secret, other, body = signing.new_secret(), signing.new_secret(), b"{}"
    headers = signing.headers((other, secret), "7", int(time.time()), body)
    assert known["is_ours"](secret, headers, body)
    assert not known["is_ours"](secret, headers, b"{ }")
    assert not known["is_ours"](signing.new_secret(), headers, body)
    assert not known["is_ours"](secret, signing.headers((secret,), "7", int(time.time()) - 400, body), body)


def test_the_docs_tell_of_each_topic_and_show_a_message_as_it_is():
    assert {*topics.TOPICS, "test"} == set(re.findall(r"^\| `([a-z.]+)` \|", DOCS, re.MULTILINE))
    shown = json.loads(re.search(r"```json\n(.*?)```", DOCS, re.DOTALL)[1])
    d = shown["data"]
    payload = {"ticket": 42, "number": d["ticket"]["number"], "trigger": "approve", "at": d["at"],
               "from": "pending_merchant_review", "to": "pending_buyer_return"}  # fmt: skip
    data = topics.data("我的店铺", "exchange", "kuaishou", 2, payload)
    assert json.loads(topics.body("ticket.moved", d["at"], data)) == shown


@given(st.integers(1, 30), st.floats(0, 1))
def test_each_wait_is_longer_than_the_one_before_until_it_is_given_up(attempts, drawn):
    wait, following = pace.again(attempts, drawn), pace.again(attempts + 1, drawn)
    assert (wait is None) == (attempts > 9)
    if following is not None:
        assert timedelta(seconds=4) <= wait < following <= timedelta(hours=24 * 1.2)
    assert timedelta() < pace.rest(attempts, drawn) <= pace.LONGEST_REST


@given(instants, st.sampled_from(sorted(pace.PACES)), minutes, minutes)
def test_nothing_is_said_in_quiet_hours_nor_before_it_happened_nor_days_later(at, how, begins, ends):
    due = pace.due(at, how, begins, ends)
    assert at <= due <= at + timedelta(days=2)
    assert not pace.is_quiet(due, begins, ends)
    if how == "now" and not pace.is_quiet(at, begins, ends):
        assert due == at


@given(instants, instants, st.sampled_from(sorted(pace.PACES)), minutes, minutes)
def test_what_came_in_quiet_hours_comes_together_and_in_order(one, two, how, begins, ends):
    one, two = sorted((one, two))
    assert pace.due(one, how, begins, ends) <= pace.due(two, how, begins, ends)


# ── where it may go ──

REFUSED = [
    *("http://example.com/", "ftp://example.com/", "https://", "example.com", "javascript:alert(1)", "https:///x"),
    *("https://user:pw@example.com/", "https://example.com/#x", "https://example.com/a b", "https://ex\\ample.com/"),
    *("https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/"),
    *("https://0x7f.1/", "https://0/", "https://0.0.0.0/", "https://10.0.0.1/", "https://172.16.0.1/"),
    *("https://192.168.1.1/", "https://169.254.169.254/latest/meta-data", "https://100.100.100.200/"),
    *("https://168.63.129.16/", "https://224.0.0.1/", "https://255.255.255.255/", "https://198.18.0.1/"),
    *("https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:a9fe:a9fe]/"),
    *("https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fd00:ec2::254]/", "https://[fc00::1]/"),
    *("https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[::127.0.0.1]/", "https://[ff02::1]/"),
    *("https://[2001:0:1::1]/", "https://[::ffff:0:127.0.0.1]/", "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/"),
    *("https://127.0.0.1./", "https://2852039166/", "https://0xa9.0xfe.0xa9.0xfe/", "https://x/" + "y" * 600),
    "https://example.com:99999/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_where_nothing_may_be_sent(url):
    with pytest.raises(Refused):
        reach.target(url)


@pytest.mark.parametrize("url", ["https://example.com/x?y=1", "https://8.8.8.8/", "https://[2606:4700::1111]:8443/"])
def test_where_something_may_be_sent(url):
    assert reach.target(url).secure


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:169.254.169.254"], ["fe80::1%1"], ["0.0.0.0"], [], ["nonsense"]],
)
def test_a_name_that_leads_inside_is_not_followed(addresses):
    with pytest.raises(reach.Unreachable):
        reach.resolved(reach.target("https://example.com/"), ask=lambda _host, _port: addresses)


def test_the_address_that_was_looked_at_is_the_one_that_is_called(monkeypatch):
    """A name that leads elsewhere the second time."""
    asked = []

    def ask(host, *_args, **_rest):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8" if len(asked) == 1 else "127.0.0.1", 443))]

    called = []
    monkeypatch.setattr("aftersales.outbound.reach.socket.getaddrinfo", ask)
    monkeypatch.setattr(
        "aftersales.outbound.call._connect", lambda addresses, port: called.append((addresses, port)) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        Caller().post("https://rebinding.example/", {}, b"")
    assert called == [(["8.8.8.8"], 443)]
    assert asked == ["rebinding.example"]


def test_this_machine_is_called_in_development_only():
    with receiving() as receiver:
        assert Caller().post(receiver.url, {}, b"{}").status is None
        assert Caller(loopback=True).post(receiver.url, {}, b"{}").status == 204
        assert len(receiver.got) == 1


def test_a_redirect_is_an_answer_and_a_long_answer_is_cut():
    with receiving(lambda _: 302) as receiver, receiving() as inside:
        receiver.headers, receiver.text = {"Location": inside.url}, b"x" * 1_000_000
        answer = Caller(loopback=True).post(receiver.url, {}, b"{}")
        assert (answer.status, answer.well, len(answer.text)) == (302, False, 500)
        assert inside.got == []


def test_one_byte_a_second_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            line, _ = server.accept()
            with line:
                try:
                    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100:
                        line.sendall(bytes([byte]))
                        time.sleep(0.1)
                except OSError:
                    pass

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        began = time.monotonic()
        answer = Caller(loopback=True, seconds=0.5).post(f"http://127.0.0.1:{server.getsockname()[1]}/", {}, b"")
        assert answer.status is None
        assert time.monotonic() - began < 1.5
        thread.join()


def test_a_certificate_that_nobody_vouches_for_is_refused():
    assert Caller()._tls.verify_mode is ssl.CERT_REQUIRED
    with receiving() as receiver:  # speaks no TLS at all
        answer = Caller(loopback=True, seconds=1).post(receiver.url.replace("http:", "https:"), {}, b"")
        assert answer.status is None


# ── robots ──


@pytest.mark.parametrize(
    ("kind", "typed", "token"),
    [
        ("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=abcd1234efgh", "abcd1234efgh"),
        ("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/abcd1234-efgh", "abcd1234-efgh"),
        ("wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abcd-1234-efgh", "abcd-1234-efgh"),
        ("wecom", "abcd-1234-efgh", "abcd-1234-efgh"),
        ("mail", "li@example.com", "li@example.com"),
    ],
)
def test_what_a_robots_page_shows_can_be_pasted(kind, typed, token):
    assert messenger.target(kind, typed) == (token, "")


@pytest.mark.parametrize(
    ("kind", "typed"),
    [("dingtalk", "x"), ("wecom", "abcd1234@evil"), ("mail", "a@b@c.com"),
     ("mail", "a@b.com?smtp=10.0.0.1"), ("mail", "a@b.com,c@d.com"), ("dingtalk", "json://127.0.0.1/abcd.efgh")],
)  # fmt: skip
def test_what_would_lead_elsewhere_is_refused(kind, typed):
    with pytest.raises(Refused):
        messenger.target(kind, typed)
