"""Files sent to a ticket as browsers send them, and served so that nothing in them can run."""

from __future__ import annotations

import errno
import re

import pytest

from aftersales.office import evidence
from aftersales.office.evidence import Folder
from tests.files import BAD, GOOD, MP4, PDF, png
from tests.web.conftest import BROWSER_SAYS, Page
from tests.web.languages import untranslated
from web import uploads


def send(browser, number, files, *, then="", accept="text/html", **texts):
    """`files`: (input, name as given, content)."""
    address = f"/t/{number}/evidence" + (f"?then={then}" if then else "")
    parts = [(name, (given, content, "application/octet-stream")) for name, given, content in files]
    return browser.client.post(
        address, data=texts, files=parts, headers={**BROWSER_SAYS, "Accept": accept}, follow_redirects=False
    )


def folder_of(world):
    return Folder.of(world.settings)


def stored(world):
    return [file for file in folder_of(world).path.rglob("*") if file.is_file()]


@pytest.fixture(autouse=True)
def own_folder(world, tmp_path):
    world.settings.evidence_dir = tmp_path / "evidence"


def test_several_files_at_once_are_one_piece_of_evidence_and_shown_in_story_and_card(world, browser):
    number = world.open().number
    files = [("_file", f"鞋底{shade}.png", png(shade=shade)) for shade in (1, 2)]
    answer = send(browser, number, files, _kind="photo", _who="buyer", _note="左脚")
    assert answer.status_code == 303
    page = browser.get(f"/t/{number}")
    assert "梅子酱 传了 2 份凭证：照片" in page.text
    assert "左脚" in page.text
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 4, "two in the story, two in the card"
    assert {one["src"] for one in pictures} == {f"/t/{world.ticket(number).id}/evidence/{n}" for n in (1, 2)}
    assert all("鞋底" in one["alt"] for one in pictures)
    assert world.events(number)[-1].actor == "buyer"


@pytest.mark.parametrize(("kind", "content"), GOOD.items())
def test_what_is_taken_is_served_as_what_it_is_and_cannot_run(world, browser, kind, content):
    number = world.open().number
    assert send(browser, number, [("_file", "a.html", content)]).status_code == 303
    served = browser.client.get(f"/t/{number}/evidence/1")
    assert served.content == content
    assert served.headers["content-type"] == kind
    assert served.headers["x-content-type-options"] == "nosniff"
    assert served.headers["content-security-policy"].startswith("default-src 'none'")
    assert ("sandbox" in served.headers["content-security-policy"]) == (kind != "application/pdf")
    assert served.headers["cache-control"].startswith("private")
    assert served.headers["content-disposition"].startswith("inline")
    assert browser.client.get(f"/t/{number}/evidence/1?save=true").headers["content-disposition"].startswith("attach")


def test_videos_are_served_in_ranges(world, browser):
    number = world.open().number
    send(browser, number, [("_file", "拆包.mp4", MP4)])
    part = browser.client.get(f"/t/{number}/evidence/1", headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")


@pytest.mark.parametrize(("kind", "content"), BAD.items())
def test_what_is_not_taken_is_said_by_name_and_nothing_is_kept(world, browser, kind, content):
    number = world.open().number
    answer = Page(send(browser, number, [("_file", "照片.png", content)]))
    assert answer.status == 422
    assert "有 1 份没有收" in answer.text
    assert "「照片.png」" in answer.text
    assert stored(world) == []
    assert len(world.events(number)) == 1


def test_of_good_and_bad_the_good_are_kept_and_the_bad_are_told(world, browser):
    number = world.open().number
    answer = Page(send(browser, number, [("_file", "好.png", png()), ("_file", "坏.svg", BAD["svg"])]))
    assert "已收下 1 份" in answer.text
    assert "坏.svg" in answer.text
    assert len(stored(world)) == 1


def test_the_same_file_twice_is_said_politely(world, browser):
    number = world.open().number
    send(browser, number, [("_file", "甲.png", png())])
    answer = send(browser, number, [("_file", "乙.png", png())], accept="application/json")
    assert answer.status_code == 422
    assert answer.json() == {
        "added": 0, "problems": ["「乙.png」2026-10-02 14:32 已经传过（当时叫「甲.png」），没有再存一份"]
    }  # fmt: skip
    assert len(stored(world)) == 1


NAMES = [
    "鞋底😀.png", "a" * 300 + ".png", "../../etc/passwd.png", '"><script>alert(1)</script>.png', "a'b;c.png",
    "‮gnp.exe", "x\r\nSet-Cookie: a=b.png",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_shown_as_text_and_downloaded_safely(world, browser, name):
    number = world.open().number
    assert send(browser, number, [("_file", name, png())]).status_code == 303
    page = browser.get(f"/t/{number}/evidence")
    assert "<script>alert" not in page.html
    (kept,) = evidence.of_ticket(world.engine, world.ticket(number).id)
    assert not re.search(r"[/\\\r\n\u202e]", kept.name)
    assert kept.name in page.text or len(kept.name) > 40
    header = browser.client.get(f"/t/{number}/evidence/1?save=true").headers
    assert header["content-disposition"].startswith("attachment; filename")
    assert header["content-disposition"].isascii()
    assert "set-cookie" not in header
    assert re.fullmatch("[0-9a-f]{32}", kept.file), "the name on the disk is our own"


def test_nothing_chosen_is_said(world, browser):
    number = world.open().number
    answer = Page(send(browser, number, [("_file", "", b"")]))
    assert "还没有选文件" in answer.text


def test_too_many_and_too_large_are_said(world, browser):
    number = world.open().number
    many = Page(send(browser, number, [("_file", f"{n}.png", png(shade=n)) for n in range(21)]))
    assert (many.status, "最多传 20 个文件" in many.text) == (413, True)
    world.settings.upload_mb = 1
    large = Page(send(browser, number, [("_file", "大.png", png() + b"\0" * 1_100_000)]))
    assert (large.status, "一次上传最多 1 MB" in large.text) == (413, True)
    world.settings.upload_mb, world.settings.picture_mb = 500, 1
    picture = Page(send(browser, number, [("_file", "大.png", png() + b"\0" * 1_100_000)]))
    assert "「大.png」太大，这种文件最多 1 MB" in picture.text
    assert stored(world) == []


def parts(*pieces):
    yield from pieces


HEAD = b'--x\r\nContent-Disposition: form-data; name="_file"; filename="a.png"\r\n\r\n'
KIND = {"content-type": "multipart/form-data; boundary=x", **BROWSER_SAYS}


def test_a_body_that_does_not_say_its_length_is_stopped_when_it_is_too_long(world, browser):
    number = world.open().number
    world.settings.upload_mb = 1
    body = parts(HEAD, *[png() + b"\0" * 100_000] * 20, b"\r\n--x--\r\n")
    answer = browser.client.post(f"/t/{number}/evidence", content=body, headers=KIND)
    assert answer.status_code == 413
    assert stored(world) == []


def test_an_upload_of_more_than_the_limit_of_forms_is_taken(world, browser):
    number = world.open().number
    body = parts(HEAD, png(), *[b"\0" * 500_000] * 8, b"\r\n--x--\r\n")
    answer = browser.client.post(f"/t/{number}/evidence", content=body, headers=KIND, follow_redirects=False)
    assert answer.status_code == 303
    assert evidence.of_ticket(world.engine, world.ticket(number).id)[0].bytes > 4_000_000


def test_an_upload_that_is_cut_off_leaves_nothing(world, browser):
    number = world.open().number
    answer = browser.client.post(f"/t/{number}/evidence", content=parts(HEAD, png()), headers=KIND)
    assert answer.status_code == 400
    assert uploads.CUT_OFF in answer.text
    assert stored(world) == []


@pytest.mark.parametrize(
    ("number", "sentence"), [(errno.ENOSPC, uploads.DISK_FULL), (errno.EACCES, uploads.CANNOT_WRITE)]
)
def test_a_full_disk_is_said_and_leaves_nothing(world, browser, monkeypatch, number, sentence):
    ticket = world.open().number
    real = evidence.Incoming.write

    def full(self, piece):
        real(self, piece[:10])
        raise OSError(number, "no")

    monkeypatch.setattr(evidence.Incoming, "write", full)
    answer = Page(send(browser, ticket, [("_file", "a.png", png())]))
    assert (answer.status, sentence in answer.text) == (507, True)
    assert stored(world) == []


def test_a_stranger_to_the_ticket_gets_no_file(world, browser):
    first, second = world.open(), world.open()
    send(browser, first.number, [("_file", "a.png", png())])
    assert browser.client.get(f"/t/{second.number}/evidence/1").status_code == 404
    for address in ("2", "0", "abc", "9" * 30):
        assert browser.client.get(f"/t/{first.number}/evidence/{address}").status_code == 404
    stored(world)[0].unlink()
    assert "从备份恢复" in browser.client.get(f"/t/{first.number}/evidence/1").text


def test_a_form_from_another_site_uploads_nothing(world, browser):
    number = world.open().number
    answer = browser.client.post(
        f"/t/{number}/evidence", files={"_file": ("a.png", png())}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert stored(world) == []


def test_a_ticket_that_is_not_there_keeps_no_file(world, browser):
    assert send(browser, "EX-990101-0001", [("_file", "a.png", png())]).status_code == 404
    assert stored(world) == []


# ── from the form of a step ──


def test_a_step_says_which_evidence_it_wants_and_takes_it_in_its_form(world, browser):
    number = world.open().number
    page = browser.get(f"/t/{number}/reject")
    assert "要有的凭证" in page.text
    assert page.form.kinds["_file:0"] == "file"
    texts = {
        name: value for name, value in page.form.filled(reason_code="20", _summary="说过了") if "_file" not in name
    }
    answer = Page(send(browser, number, [("_file:0", "鞋底.png", png())], then="reject", **texts))
    assert answer.status == 200
    assert answer.form.get("reason_code") == "20", "what was typed is still there"
    assert answer.form.get("_summary") == "说过了"
    assert "已有： 照片" in answer.text or "已有：照片" in answer.text
    assert browser.send(answer.form).status == 303
    assert world.ticket(number).state == "rejected_pending_buyer"


def test_a_file_that_was_chosen_and_not_uploaded_stops_the_step(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/reject").form
    answer = browser.send(form, [*form.filled(reason_code="20"), ("_file:0", "鞋底.png")])
    assert answer.status == 422
    assert "还没有上传" in answer.text
    assert answer.form.get("reason_code") == "20"


def test_a_condition_of_two_kinds_asks_for_both(world, browser):
    ticket = world.open("lost_parcel", issue="damaged")
    page = browser.get(f"/t/{ticket.number}/report_damage")
    assert {"_file:0", "_file:1"} <= set(page.form.kinds)
    hidden = {name: value for name, value in page.form.hidden if name.startswith("_kind")}
    assert hidden == {"_kind:0": "photo", "_kind:1": "unboxing_video"}


def test_the_pages_of_evidence_are_in_english_too(world, browser):
    number = world.open().number
    send(browser, number, [("_file", "a.png", png()), ("_file", "b.pdf", PDF)], _note="说明")
    browser.client.cookies.set("language", "en")
    assert untranslated(browser.get(f"/t/{number}/evidence").html) == []
    refused = Page(send(browser, number, [("_file", "坏.svg", BAD["svg"])]))
    assert untranslated(refused.html) == []
    assert "is not a file we take" in refused.text
    nothing = send(browser, number, [("_file", "", b"")], accept="application/json")
    assert nothing.json()["problems"] == ["No file was chosen; choose pictures, videos or PDF first"]
