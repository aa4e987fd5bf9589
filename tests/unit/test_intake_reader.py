"""Files to rows: encodings, delimiters, quotes, spreadsheets, and files that must be refused with advice."""

from __future__ import annotations

import io
import os
import zipfile
from contextlib import suppress
from datetime import date, datetime, time, timedelta

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from aftersales.intake import cells, reader
from aftersales.intake.reader import IntakeError, Limits, open_table
from tests.data.intake_files import raw_xlsx, write_csv, write_xlsx

HEADER = ("售后单号", "申请说明", "买家账号")


def rows(path):
    with open_table(path) as table:
        return list(table.rows())


def texts(path):
    return [(row.line, *row.cells.values()) for row in rows(path)]


def refusal(path, limits=None):
    with pytest.raises(IntakeError) as refused, open_table(path, limits) as table:
        list(table.rows())
    return str(refused.value)


def csv_of(tmp_path, data):
    path = tmp_path / "export.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


# ── Cells ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("2333767157926649\t", "2333767157926649"),
        ('="22112587366087587"', "22112587366087587"),
        ("'22112587366087587", "22112587366087587"),
        ('="一""二"', '一"二'),
        ("=1+1", "=1+1"),
        ('="1"&"2"', '="1"&"2"'),
        ("'tis", "'tis"),
        ("\u3000小鹿女装\xa0", "小鹿女装"),
        ("一\n二", "一\n二"),
    ],
)
def test_what_protects_numbers_is_taken_off_and_nothing_else(written, seen):
    assert cells.clean(written) == seen


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (658.0, "658"),
        (329.05, "329.05"),
        (0.1 + 0.2, "0.3"),
        (-89.0, "-89"),
        (8462228289.0, "8462228289"),
        (2333767157926649.0, "2333767157926649"),
        (2333767157926640.0, "2.33376715792664E+15"),
        (22716324425178812.0, "2.27163244251788E+16"),
        (True, "TRUE"),
        (datetime.fromisoformat("2022-10-06 02:10:42.999999"), "2022-10-06 02:10:43"),
        (date(2022, 10, 6), "2022-10-06"),
        (time(2, 10), "02:10:00"),
        (timedelta(hours=30), "1 day, 6:00:00"),
        (None, ""),
    ],
)
def test_a_spreadsheet_number_never_shows_digits_that_may_be_wrong(value, text):
    """16 digits are whole only if the last is not 0 (Excel writes zeros for what it dropped); above 2**53 none are."""
    assert cells.spreadsheet_text(value) == text


def test_what_a_report_shows_is_short_and_harmless_to_a_terminal():
    assert cells.shown("a\x1b[31m\x00\ud83d") == "a\\u001b[31m\\u0000\\ud83d"
    assert cells.shown("长" * 1000) == "长" * 80 + "…（共 1000 个字）"


# ── CSV ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_every_encoding_and_delimiter(tmp_path, encoding, delimiter):
    table = [HEADER, ("1", "𠮷野家，,;\t里\n面", "😀𪚥家"), ("2", '"引"号', "=1+1")]
    path = write_csv(tmp_path / "a.csv", table, encoding, delimiter)
    assert texts(path) == [(2, "1", "𠮷野家，,;\t里\n面", "😀𪚥家"), (3, "2", '"引"号', "=1+1")]


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
def test_every_line_end_and_none_at_the_end(tmp_path, ending):
    path = csv_of(tmp_path, ending.join(["售后单号,申请说明", "1,一", "2,二"]))
    assert texts(path) == [(2, "1", "一"), (3, "2", "二")]


def test_lines_are_counted_as_records_and_empty_ones_count(tmp_path):
    path = csv_of(tmp_path, '售后单号,申请说明\r\n1,"一\r\n一"\r\n\r\n,\r\n2,二\r\n')
    assert texts(path) == [(2, "1", "一\r\n一"), (5, "2", "二")]


def test_an_empty_line_before_the_header_counts_too(tmp_path):
    assert texts(csv_of(tmp_path, "\r\n售后单号,申请说明\r\n1,一\r\n")) == [(3, "1", "一")]


def test_a_mark_before_a_quoted_header(tmp_path):
    assert texts(csv_of(tmp_path, '\ufeff"售后单号","申请说明"\n1,一\n')) == [(2, "1", "一")]


def test_a_header_and_no_rows_is_a_table_with_no_rows(tmp_path):
    assert rows(csv_of(tmp_path, "售后单号,申请说明")) == []


def test_the_text_of_a_row_is_verbatim(tmp_path):
    record = '1\t,"=""22""",x\r\n'
    (row,) = rows(csv_of(tmp_path, f"售后单号,订单编号,买家账号\r\n{record}"))
    assert row.text == record


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
EVERY_WAY = [(encoding, delimiter) for encoding in ("utf-8-sig", "utf-16", "gb18030") for delimiter in (",", "\t", ";")]


@given(table=st.lists(st.tuples(CELL, CELL, CELL), max_size=8), way=st.sampled_from(EVERY_WAY))
def test_what_is_written_is_read(tmp_path_factory, table, way):
    path = write_csv(tmp_path_factory.mktemp("round") / "a.csv", [HEADER, *table], *way)
    kept = [
        (line, *map(cells.clean, row)) for line, row in enumerate(table, start=2) if any(cell.strip() for cell in row)
    ]
    assert texts(path) == kept


@given(table=st.lists(st.tuples(CELL, CELL, CELL), max_size=8), way=st.sampled_from(EVERY_WAY))
def test_a_file_put_together_from_its_header_and_row_texts_is_the_same_file(tmp_path_factory, table, way):
    path = write_csv(tmp_path_factory.mktemp("again") / "a.csv", [HEADER, *table], *way)
    with open_table(path) as opened:
        form, read = opened.form, list(opened.rows())
    again = path.with_name("b.csv")
    again.write_bytes(form.encode(form.bom + form.header + "".join(row.text for row in read)))
    with open_table(again) as opened:
        assert [row.cells for row in opened.rows()] == [row.cells for row in read]


@given(junk=st.binary(max_size=300))
def test_no_bytes_at_all_bring_it_down(tmp_path_factory, junk):
    path = tmp_path_factory.mktemp("junk") / "a.csv"
    path.write_bytes(junk)
    with suppress(IntakeError):
        rows(path)


def test_progress_goes_to_the_end(tmp_path):
    path = write_csv(tmp_path / "a.csv", [HEADER, *[("1", "一" * 50, "x")] * 5000])
    with open_table(path) as table:
        seen = [table.progress()[0] for _ in table.rows()]
        assert table.progress() == (path.stat().st_size, path.stat().st_size)
    assert seen == sorted(seen)
    assert len(set(seen)) > 10, "it moves on the way"


# ── CSV: rows that cannot be read are given with their fault ────────────────────────


def faults(path):
    return [(row.line, row.fault) for row in rows(path) if row.fault]


def test_a_row_with_too_few_or_too_many_cells(tmp_path):
    path = csv_of(tmp_path, "售后单号,申请说明\n1,一,多\n2\n3,三,,\n")
    advice = "多半是格子里的逗号或引号没有处理好，请对照列名改好"
    assert faults(path) == [
        (2, f"这一行有 3 格，列名有 2 个；{advice}"),
        (3, f"这一行有 1 格，列名有 2 个；{advice}"),
    ]
    assert [row.line for row in rows(path) if not row.fault] == [4], "empty cells too many do no harm"


def test_quotes_that_do_not_match_spoil_their_own_row_only(tmp_path):
    path = csv_of(tmp_path, '售后单号,申请说明\n1,一\n2,"二"二\n3,三\n')
    assert faults(path) == [(3, '引号不成对，这里的 1 行分不清格子；格子里的引号要写成两个（""），请改好后再导入')]
    assert [row.line for row in rows(path) if not row.fault] == [2, 4]


def test_lines_run_together_by_a_quote_are_counted_one_by_one(tmp_path):
    path = csv_of(tmp_path, '售后单号,申请说明\n1,"一\n2,"二"\n3,三\n')
    assert faults(path) == [(2, '引号不成对，这里的 2 行分不清格子；格子里的引号要写成两个（""），请改好后再导入')]
    assert [row.line for row in rows(path) if not row.fault] == [4], "where a person counts it"


def test_a_quote_that_is_never_closed_takes_the_rest_and_says_so(tmp_path):
    path = csv_of(tmp_path, '售后单号,申请说明\n1,一\n2,"二\n3,三\n4,四\n')
    assert faults(path) == [(3, "有个引号一直没有闭合，文件余下的 3 行都被读进了这一格；请补上引号后再导入")]
    assert rows(path)[-1].text == '2,"二\n3,三\n4,四\n', "nothing is dropped"


def test_a_quote_never_closed_in_a_large_file(tmp_path):
    path = csv_of(tmp_path, '售后单号,申请说明\n1,"一\n' + "2,二二二二二\n" * 50_000)
    assert faults(path) == [(2, "有个引号一直没有闭合，文件余下的 50001 行都被读进了这一格；请补上引号后再导入")]


@pytest.mark.parametrize("filling", ["x", "长,\r\n"])
def test_a_cell_of_ten_megabytes_spoils_its_own_row_only(tmp_path, filling):
    huge = filling * (10_000_000 // len(filling))
    path = write_csv(tmp_path / "a.csv", [("售后单号", "申请说明"), ("1", "一"), ("2", huge), ("3", "三")])
    assert [fault for _, fault in faults(path)] == ["有一格太长（超过 13 万字），请缩短后再导入"]
    assert [row.cells["售后单号"] for row in rows(path) if not row.fault] == ["1", "3"]


# ── Spreadsheets ───────────────────────────────────────────────────────────────────


def test_a_spreadsheet_knows_its_rows_by_their_numbers_in_excel(tmp_path):
    path = write_xlsx(tmp_path / "a.xlsx", [[], ["售后单号", "申请说明"], ["1", "一"], [], ["2", "二"]])
    assert texts(path) == [(3, "1", "一"), (5, "2", "二")]


def test_a_spreadsheet_called_csv_is_read_as_what_it_is(tmp_path):
    path = write_xlsx(tmp_path / "a.xlsx", [["售后单号", "申请说明"], ["1", "一"]])
    assert texts(path.rename(tmp_path / "a.csv")) == [(2, "1", "一")]


def test_a_row_of_a_spreadsheet_survives_as_csv_and_excel_will_not_compute_it(tmp_path):
    path = write_xlsx(tmp_path / "a.xlsx", [["售后单号", "买家账号"], ["2333767157926649", "=1+1"]])
    (row,) = rows(path)
    assert row.text == "2333767157926649\t,\t=1+1\r\n"
    with open_table(path) as table:
        csv_of(tmp_path, table.form.encode(table.form.bom + table.form.header + row.text))
    assert texts(tmp_path / "export.csv") == texts(path)


def test_other_sheets_are_named_not_dropped_silently(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        for name in ("空的", "十月", "藏着", "十一月"):
            sheet = book.add_worksheet(name)
            if name != "空的":
                sheet.write_row(0, 0, ["售后单号", name])
            if name == "藏着":
                sheet.hide()
    with open_table(tmp_path / "a.xlsx") as table:
        assert table.columns == ("售后单号", "十月")
        assert table.remarks == ("只读了工作表「十月」，没有读：十一月",)


@pytest.mark.parametrize(
    "cell",
    [
        '<c t="e"><v>#N/A</v></c>',
        '<c r="A2" t="e"><f>1/0</f><v>#DIV/0!</v></c>',
        "<c><f>B2*2</f></c>",
        '<c r="A2"><f t="shared" si="0"/></c>',
    ],
)
def test_a_formula_without_a_value_is_not_read_as_an_empty_cell(tmp_path, cell):
    advice = "请在 Excel 里全选、复制、「选择性粘贴」为数值，改好出错的格再导入"
    path = raw_xlsx(tmp_path / "a.xlsx", f"<row>{cell}</row>")
    assert refusal(path) == f"表里有公式出错（如 #N/A）或没有结果。{advice}"


def test_a_formula_with_a_value_is_its_value(tmp_path):
    head = '<row><c t="inlineStr"><is><t>一</t></is></c><c t="inlineStr"><is><t>二</t></is></c></row>'
    path = raw_xlsx(tmp_path / "a.xlsx", f"{head}<row><c><f>1+1</f><v>2</v></c><c><v>3</v></c></row>")
    assert texts(path) == [(2, "2", "3")]


# ── Spreadsheets that ask for too much ─────────────────────────────────────────────


def test_two_cells_in_far_corners_are_refused_before_anything_is_allocated(tmp_path):
    path = raw_xlsx(
        tmp_path / "a.xlsx", '<row r="1"><c r="A1"><v>1</v></c></row><row><c r="XFD1048576"><v>2</v></c></row>'
    )
    far = "第 1048576 行、第 16384 列"
    assert (
        refusal(path) == f"这个工作表用到了{far}，太大了。请删掉远处多余的格子；请按月分几次导出，或另存为 CSV 再导入"
    )


TOO_BIG = "这个 Excel 文件展开后太大，程序不会打开它。请按月分几次导出，或另存为 CSV 再导入"


def test_what_unpacks_without_end_is_refused(tmp_path):
    path = raw_xlsx(tmp_path / "a.xlsx", " " * 20_000_000)
    assert path.stat().st_size < 100_000
    assert refusal(path, Limits(unpacked_bytes=10_000_000)) == TOO_BIG


def test_one_text_shared_by_many_cells_is_refused(tmp_path):
    path = raw_xlsx(
        tmp_path / "a.xlsx", '<row><c t="s"><v>1</v></c></row>' * 2000, f"<si/><si><t>{'x' * 100_000}</t></si>"
    )
    assert refusal(path, Limits(text_bytes=100_000_000)) == TOO_BIG


def test_a_spreadsheet_that_lies_about_its_size_is_refused(tmp_path):
    path = raw_xlsx(tmp_path / "a.xlsx", "<row/>" * 100_000)
    data, size = path.read_bytes(), zipfile.ZipFile(path).getinfo("xl/worksheets/sheet1.xml").file_size
    path.write_bytes(data.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little")))
    assert refusal(path).startswith("这个 Excel 文件打不开")


# ── Files that are no table ────────────────────────────────────────────────────────

SAVE_AS = "请用 Excel 打开后「另存为」CSV UTF-8 或 .xlsx，再导入"
LEFT_OUT = "请重新导出一份带列名的表，第一行是列名"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "文件是空的。请重新从平台后台导出，再导入"),
        ("\ufeff".encode(), "文件是空的。请重新从平台后台导出，再导入"),
        (b"\r\n \r\n", "文件是空的。请重新从平台后台导出，再导入"),
        ("一行字\n".encode(), f"这不像表格：第一行只有一格。列之间要用逗号、制表符或分号隔开。{LEFT_OUT}"),
        (b"a\x00b,c\n", f"第一行有认不出的字符，可能是编码不对，或不是表格文件。{LEFT_OUT}"),
        ("售后单号,状态,状态,x,x\n".encode(), "列名重复：状态、x。请删掉或改名，每个列名只留一列"),
        (b"<html><table>", "这是网页或 XML 文件，只是名字像表格。请用 Excel 打开后另存为 .xlsx 再导入"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "这是旧版 Excel（.xls）或加了密码的文件。请在 Excel 里取消密码，另存为 .xlsx 再导入",
        ),
        ('"售后单号,状态\n1,2\n'.encode(), None),
    ],
)
def test_what_is_no_table_is_refused_with_advice(tmp_path, data, message):
    found = refusal(csv_of(tmp_path, data))
    expected = (
        f"第 1 行应该是列名，但有个引号一直没有闭合，文件余下的 2 行都被读进了这一格；请补上引号后再导入。{SAVE_AS}"
    )
    assert found == (message or expected)


def test_a_byte_that_no_encoding_has(tmp_path):
    path = csv_of(tmp_path, "售后单号,说明\n1,好\n2,".encode("gb18030") + b"\xff\xff\n")
    assert refusal(path) == (
        "文件第 3 行附近有认不出的字符（按 GB18030 读到第 22 个字节处）。"
        f"文件可能不是表格、没有下载完整，或编码不是 UTF-8、UTF-16、GB18030。请重新下载；{SAVE_AS}"
    )


def test_a_utf_8_file_cut_inside_a_character_is_not_taken_for_gb18030(tmp_path):
    whole = "售后单号,说明\n1,好好好\n".encode()
    assert refusal(csv_of(tmp_path, whole[:-2])).startswith("文件第 2 行附近有认不出的字符（按 UTF-8 读到")


@pytest.mark.parametrize("data", [b"PK\x03\x04 not a zip", "zip of no workbook"])
def test_a_broken_spreadsheet(tmp_path, data):
    if isinstance(data, str):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("note.txt", data)
        data = packed.getvalue()
    assert refusal(csv_of(tmp_path, data)).startswith(("这个 Excel 文件打不开", "这个 Excel 文件读不了"))


def test_a_spreadsheet_with_nothing_in_it(tmp_path):
    assert refusal(write_xlsx(tmp_path / "a.xlsx", [])) == "Excel 文件里没有数据。请重新从平台后台导出，再导入"


def test_a_panic_below_is_a_refusal_too(tmp_path, monkeypatch):
    class PanicException(BaseException):
        pass

    def panics(_):
        raise PanicException

    monkeypatch.setattr(reader.python_calamine, "load_workbook", panics)
    path = write_xlsx(tmp_path / "a.xlsx", [["售后单号", "说明"]])
    assert refusal(path).startswith("这个 Excel 文件读不了，可能已损坏。")


def test_no_file_a_folder_a_huge_file(tmp_path):
    assert refusal(tmp_path / "no.csv") == f"没有文件「{tmp_path / 'no.csv'}」。请检查路径和文件名"
    assert refusal(tmp_path) == f"「{tmp_path}」不是文件。请给出导出的 CSV 或 .xlsx 文件"
    os.truncate(csv_of(tmp_path, b"x"), 3 << 20)
    limits = Limits(file_bytes=2 << 20)
    assert refusal(tmp_path / "export.csv", limits) == "文件有 3 MB，最多 2 MB。请按月分几次导出再导入"
