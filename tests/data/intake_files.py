"""Files for the tests of aftersales.intake: the sample in other clothes, and small exports made by hand."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import xlsxwriter

from aftersales import clock, intake

SAMPLE = Path(__file__).with_name("kuaishou_aftersales_export.csv")
NOW = clock.parse("2022-11-10 00:00:00")

GOOD: Mapping[str, str] = {
    "售后单号": "2333767157926649\t",
    "订单编号": '="22716324425178812"',
    "售后类型": "退货退款",
    "售后状态": "待商家处理",
    "申请时间": "2022-10-30 12:29:12",
    "商家处理截止时间": "2022/11/01 12:29:12",
    "申请原因": "七天无理由",
    "申请说明": "",
    "商品名称": "复古马丁靴",
    "商品ID": "8462228289",
    "规格": "白/M",
    "实付金额(元)": "¥1,658.00",
    "申请退款金额(元)": "658.00",
    "买家账号": "李雷&韩梅梅",
    "会员等级": "V5",
    "订单签收时间": "2022-10-22 09:58:12",
    "退货物流公司": "",
    "退货运单号": "",
    "换货物流公司": "",
    "换货运单号": "",
    "店铺": "清风数码旗舰店",
}


def export(path: Path, rows: Iterable[Mapping[str, str]], columns: Sequence[str] = tuple(GOOD)) -> Path:
    """A CSV export in UTF-8; each row says what differs from GOOD, and is numbered unless it says its 售后单号."""
    table = [{**GOOD, "售后单号": f"23337671579{at:05}", **row} for at, row in enumerate(rows)]
    return write_csv(path, [columns, *([row[name] for name in columns] for row in table)])


def write_csv(path: Path, table: Iterable[Sequence[str]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(table)
    path.write_bytes(text.getvalue().encode(encoding, "surrogatepass" if "16" in encoding else "strict"))
    return path


def write_xlsx(path: Path, table: Iterable[Sequence[object]]) -> Path:
    """Texts stay texts, numbers numbers, datetimes datetimes."""
    with xlsxwriter.Workbook(path, {"strings_to_numbers": False, "strings_to_formulas": False}) as book:
        sheet, as_date = book.add_worksheet("售后单"), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for line, cells in enumerate(table):
            for place, cell in enumerate(cells):
                if isinstance(cell, str):
                    sheet.write_string(line, place, cell)
                elif isinstance(cell, datetime):
                    sheet.write_datetime(line, place, cell, as_date)
                else:
                    sheet.write(line, place, cell)
    return path


def sample_table() -> list[list[str]]:
    """The sample's cells, protections and all, header first."""
    return list(csv.reader(io.StringIO(SAMPLE.read_bytes().decode("gb18030"), newline="")))


def outcomes(path: Path) -> list[intake.Outcome]:
    with intake.open_intake(path) as file:
        return list(file.outcomes(NOW))


def tickets(path: Path) -> list[intake.ImportedTicket]:
    return [outcome.ticket for outcome in outcomes(path) if isinstance(outcome, intake.Good)]


def problems(path: Path) -> list[intake.RowProblem]:
    refused = (outcome for outcome in outcomes(path) if isinstance(outcome, intake.Bad | intake.Differs))
    return [problem for outcome in refused for problem in outcome.problems]


def import_into(folder: Path, path: Path) -> intake.Written:
    """Read a file and write report and rejects into a folder."""
    with (
        intake.open_intake(path) as file,
        intake.Report(file.form, folder / "report.csv", folder / "rejected.csv") as report,
    ):
        for outcome in file.outcomes(NOW):
            if isinstance(outcome, intake.Bad | intake.Differs):
                report.refuse(outcome.row, outcome.problems)
    return report.written


_BOOK = {
    "[Content_Types].xml": (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
    ),
    "_rels/.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
        'Target="worksheets/sheet1.xml"/><Relationship Id="r2" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" '
        'Target="sharedStrings.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
        '<sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>'
    ),
}


def raw_xlsx(path: Path, sheet_data: str, shared: str = "<si><t>x</t></si>") -> Path:
    """A workbook with this inside <sheetData> and <sst>: for files that no honest program writes."""
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    parts = _BOOK | {
        "xl/sharedStrings.xml": f"<sst {space}>{shared}</sst>",
        "xl/worksheets/sheet1.xml": f"<worksheet {space}><sheetData>{sheet_data}</sheetData></worksheet>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in parts.items():
            book.writestr(name, text)
    return path
