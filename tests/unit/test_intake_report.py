"""What a person gets back: a report Excel can open, and the refused rows as they were, to mend and import again."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest

from aftersales import intake
from aftersales.intake.reader import Form
from tests.data.intake_files import (
    NOW,
    SAMPLE,
    export,
    import_into,
    outcomes,
    sample_table,
    tickets,
    write_csv,
    write_xlsx,
)


def report_of(written):
    assert written.report.read_bytes().startswith(b"\xef\xbb\xbf"), "so that Excel knows it is UTF-8"
    return list(csv.reader(written.report.read_text("utf-8-sig").splitlines()))


def test_the_report_of_the_sample(tmp_path):
    head, *lines = report_of(import_into(tmp_path, SAMPLE))
    assert head == ["行号", "列", "内容", "原因"]
    assert [int(line[0]) for line in lines] == [17, 95, 112, 120, 186, 189, 210, 244, 259, 303]
    assert lines[8] == ["259", "实付金额(元)", "'-89.00", "金额不能是负数；请到平台后台核对原单金额后改正"]


def test_the_rejects_are_the_bytes_of_the_input(tmp_path):
    written = import_into(tmp_path, SAMPLE)
    records = [record + b"\r\n" for record in SAMPLE.read_bytes().replace(b"\r\n", b"\r\r").split(b"\r\r")]
    lines = (1, 17, 95, 112, 120, 186, 189, 210, 244, 259, 303)
    assert written.rejects.read_bytes() == b"".join(records[line - 1] for line in lines)


MENDED = {
    b"2022-13-45 10:00:00": b"2022-10-30 10:00:00",
    "八十九元".encode("gb18030"): b"589.00",
    "以旧换新".encode("gb18030"): "换货".encode("gb18030"),
    "处理中??".encode("gb18030"): "待商家处理".encode("gb18030"),
    b"2.20345E+16": b"22034512345678901",
    b",-89.00,": b",89.00,",
    b",588.00,": b",58.80,",
}


def test_rejects_mended_are_imported_and_the_rest_handed_back_again(tmp_path):
    written = import_into(tmp_path, SAMPLE)
    data = written.rejects.read_bytes()
    for wrong, right in MENDED.items():
        assert data.count(wrong) == 1
        data = data.replace(wrong, right)
    mended = tmp_path / "mended.csv"
    mended.write_bytes(data)
    numbers = {ticket.platform_ticket_no for ticket in tickets(mended)}
    assert len(numbers) == len(MENDED) + 1, "and line 303, which only the database can tell to be a difference"
    again = import_into(tmp_path, mended)
    assert [line[1:3] for line in report_of(again)[1:]] == [["申请时间", ""], ["订单编号", ""]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_rejects_keep_encoding_mark_delimiter_and_line_ends(tmp_path, encoding):
    path = write_csv(tmp_path / "a.csv", sample_table(), encoding, "\t")
    written = import_into(tmp_path, path)
    assert written.rejects.read_bytes()[:2] == path.read_bytes()[:2]
    text = written.rejects.read_text(encoding)
    assert text.startswith("售后单号\t订单编号\t")
    assert [one.row.cells for one in outcomes(written.rejects)] == [
        one.row.cells for one in outcomes(path) if isinstance(one, intake.Bad | intake.Differs)
    ]


def test_rejects_of_rejects_are_the_same_file(tmp_path):
    first = import_into(tmp_path, SAMPLE)
    (tmp_path / "second").mkdir()
    rejected = [one.row.text for one in outcomes(first.rejects) if isinstance(one, intake.Bad)]
    second = import_into(tmp_path / "second", first.rejects)
    assert [one.row.text for one in outcomes(second.rejects)] == rejected


def test_rejects_of_a_spreadsheet_are_a_csv_that_reads_the_same(tmp_path):
    table = sample_table()
    rows = [[*table[line - 1][:13], "=1+1", *table[line - 1][14:]] for line in (17, 95, 112, 189, 259)]
    path = write_xlsx(tmp_path / "a.xlsx", [table[0], *rows])
    written = import_into(tmp_path, path)
    assert written.rejects.read_bytes().startswith(b"\xef\xbb\xbf")
    assert "\t=1+1" in written.rejects.read_text("utf-8-sig")
    assert [one.row.cells for one in outcomes(written.rejects)] == [one.row.cells for one in outcomes(path)]


def test_a_row_that_could_not_be_split_is_handed_back_whole(tmp_path):
    path = export(tmp_path / "a.csv", [{}, {}])
    lost = '9,"never closed\n10,x'
    path.write_bytes(path.read_bytes() + lost.encode())
    written = import_into(tmp_path, path)
    assert written.rejects.read_bytes().decode().endswith(f"{lost}\r\n")
    assert report_of(written)[1][:2] == ["4", "（整行）"]


def test_nothing_wrong_no_files(tmp_path):
    (tmp_path / "out").mkdir()
    assert import_into(tmp_path / "out", export(tmp_path / "a.csv", [{}, {}])) == intake.Written()
    assert list((tmp_path / "out").iterdir()) == []


def bad_row(value):
    return intake.Row(2, {}, f"{value},x\r\n"), [intake.RowProblem(2, "列", value, "原因")]


@pytest.fixture
def form():
    return Form("utf-8", "", ",", "\r\n", "售后单号,列\r\n")


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"),
        ("+1", "'+1"),
        ("-89.00", "'-89.00"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("2344518020994774", "2344518020994774\t"),
        ("89", "89"),
    ],
)
def test_excel_computes_and_shortens_nothing_in_the_report(tmp_path, form, value, cell):
    with intake.Report(form, tmp_path / "report.csv", tmp_path / "rejected.csv") as report:
        report.refuse(*bad_row(value))
    assert report_of(report.written)[1][2] == cell


def test_an_older_report_or_half_mended_rejects_are_never_overwritten(tmp_path, form):
    target = tmp_path / "report.csv", tmp_path / "rejected.csv"
    for value in ("a", "a", "b"):
        with intake.Report(form, *target) as report:
            report.refuse(*bad_row(value))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "rejected-2.csv",
        "rejected.csv",
        "report-2.csv",
        "report.csv",
    ]
    assert report.written.rejects == tmp_path / "rejected-2.csv", "the same import again gives the same file"


def test_an_import_that_breaks_off_leaves_nothing_behind(tmp_path, form):
    target = tmp_path / "report.csv", tmp_path / "rejected.csv"
    with pytest.raises(KeyboardInterrupt), intake.Report(form, *target) as report:  # noqa: PT012
        report.refuse(*bad_row("a"))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_files_are_for_their_owner_alone(tmp_path):
    written = import_into(tmp_path, SAMPLE)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (written.report, written.rejects)} == {0o600}


def test_a_folder_that_does_not_exist(tmp_path, form):
    with pytest.raises(intake.IntakeError) as refused:
        intake.Report(form, tmp_path / "no" / "report.csv", tmp_path / "rejected.csv")
    assert str(refused.value).startswith(f"不能在「{tmp_path / 'no'}」里写报告")


def test_where_the_files_go():
    assert intake.beside(Path("a/十月.csv")) == (Path("a/十月.report.csv"), Path("a/十月.rejected.csv"))


def test_a_difference_from_the_database_is_worded_like_one_in_the_file(tmp_path):
    path = export(tmp_path / "a.csv", [{}])
    advice = "请到平台后台核对哪一个是对的，再处理这一单"
    with intake.open_intake(path) as file:
        (outcome,) = file.outcomes(NOW)
        (problem,) = intake.difference(outcome.ticket, file.layout, ("platform_status",), "系统里 RF-221030-0001 ")
    assert problem == intake.RowProblem(
        2,
        "售后状态",
        "待商家处理",
        f"系统里 RF-221030-0001 已有同一个售后单号，内容却不同，没有采用这一行；{advice}",
    )
