"""The working calendar: what was published, what the operator adds, and what nobody knows yet."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import chinese_calendar
import pytest

from aftersales.work_calendar import Overrides, OverridesError, WorkCalendar, load_overrides


@pytest.fixture
def calendar():
    return WorkCalendar.default()


@pytest.fixture
def file(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "calendar.yaml"
        path.write_bytes(text.encode(encoding))
        return path

    return write


# ── What was published ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("day", "works", "reason"),
    [
        (date(2023, 1, 3), True, ""),
        (date(2023, 1, 2), False, "元旦"),
        (date(2023, 1, 7), False, "周六"),
        (date(2023, 1, 8), False, "周日"),
        (date(2023, 1, 28), True, "调休上班"),  # a Saturday
        (date(2023, 1, 29), True, "调休上班"),  # a Sunday
        (date(2023, 10, 1), False, "国庆节"),  # a Sunday too
        (date(2024, 2, 9), True, ""),  # 除夕, a working day that year
        (date(2024, 2, 29), True, ""),
        (date(2024, 9, 14), True, "调休上班"),
        (date(2024, 9, 17), False, "中秋"),
        (date(2018, 12, 31), False, "元旦"),  # decided by the notice for 2019
    ],
)
def test_known_days(calendar, day, works, reason):
    assert (calendar.is_workday(day), calendar.reason(day), calendar.is_known(day)) == (works, reason, True)


def test_every_published_day_is_as_the_package_says(calendar):
    day = date(2004, 1, 1)
    while day <= date(2026, 12, 31):
        assert calendar.is_known(day)
        assert calendar.is_workday(day) == chinese_calendar.is_workday(day), day
        assert bool(calendar.reason(day)) == (not calendar.is_workday(day) or day.weekday() >= 5), day
        day += timedelta(days=1)


@pytest.mark.parametrize("day", [date(2027, 1, 1), date(2003, 12, 31)])
def test_an_unpublished_year_counts_weekends_only_and_says_so(calendar, day):
    with pytest.raises(NotImplementedError):
        chinese_calendar.is_workday(day)
    assert not calendar.is_known(day)
    assert calendar.is_workday(day)
    assert (calendar.is_workday(date(2027, 1, 2)), calendar.reason(date(2027, 1, 2))) == (False, "周六")


def test_a_datetime_is_no_day(calendar):
    with pytest.raises(ValueError, match=r"工作日历按日期查，.* 请先用 clock\.shown_day 取北京时间的日期"):
        calendar.is_workday(datetime(2022, 10, 1, tzinfo=UTC))


def test_the_package_is_not_loaded_until_a_working_day_is_counted():
    code = """
import sys
from aftersales import clock, durations, work_calendar
calendar = work_calendar.WorkCalendar.default()
durations.hours(48).after(clock.now(), calendar)
durations.days(10).after(clock.now(), calendar)
durations.civil_days(7).after(clock.now(), calendar)
assert "chinese_calendar" not in sys.modules
durations.workdays(7).after(clock.now(), calendar)
assert "chinese_calendar" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# ── What the operator adds ─────────────────────────────────────────────────────────

YEAR_2027 = """
# 国务院办公厅通知
published_years: [2027]
holidays:
  2027-01-01: 元旦
  "2027-02-05": 春节
  2027-02-08:
workdays:
  - 2027-02-06
"""


def test_a_year_the_package_does_not_know(file):
    calendar = WorkCalendar.default(file(YEAR_2027))
    assert calendar.is_known(date(2027, 1, 4))
    assert not calendar.is_known(date(2028, 1, 4))
    assert [calendar.is_workday(date(2027, 1, 1)), calendar.reason(date(2027, 1, 1))] == [False, "门店设置：元旦"]
    assert [calendar.is_workday(date(2027, 2, 6)), calendar.reason(date(2027, 2, 6))] == [True, "门店设置：上班"]
    assert calendar.reason(date(2027, 2, 8)) == "门店设置：放假"


def test_the_operator_wins_over_the_package(file):
    path = file("workdays: [2023-01-02]\nholidays: [2023-01-28, 2023-01-03]\n")
    calendar = WorkCalendar.default(path)
    days = [date(2023, 1, 2), date(2023, 1, 28), date(2023, 1, 3)]
    assert [calendar.is_workday(day) for day in days] == [True, False, False]
    assert [calendar.reason(day) for day in days] == ["门店设置：上班", "门店设置：放假", "门店设置：放假"]


@pytest.mark.parametrize("text", ["", "# 还没有内容\n", "workdays:\nholidays: []\npublished_years: ~\n", "\ufeff"])
def test_a_file_with_nothing_in_it_changes_nothing(file, text):
    assert load_overrides(file(text)) == Overrides()


ONLY = "workdays、holidays、published_years"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workdays: [2027-02-06]\nholidays: [2027-02-06]", "1: 2027-02-06 在 holidays（第 2 行）里也有，请只留一处"),
        ("workdays:\n- 2027-02-06\n- 2027-02-06", "3: 2027-02-06 与第 2 行重复，请删掉一处"),
        ("holidays:\n  2027-01-01: 元旦\n  2027-01-01: 新年", "3: 2027-01-01 与第 2 行重复，请删掉一处"),
        ("workdays:\n- 2027/2/6", "2: 「2027/2/6」不是日期，请写成 2027-01-01 这样"),
        ("workdays:\n- 2027-02-06 10:00:00", "2: 「2027-02-06 10:00:00」不是日期，请写成 2027-01-01 这样"),
        ("workdays: [春节]", "1: 「春节」不是日期，请写成 2027-01-01 这样"),
        ("workdays: [20270206]", "1: 「20270206」不是日期，请写成 2027-01-01 这样"),
        ("workdays: [2027-02-29]", "1: 没有 2027-02-29 这一天，请检查月份和日期"),
        ("\nworkday: [2027-02-06]", "2: 不认识「workday」，是不是 workdays？"),
        ("假期: [2027-02-06]", f"1: 不认识「假期」，只能用 {ONLY}"),
        ("workdays: []\nworkdays: []", "2: 「workdays」写了两次，请合并成一处"),
        ("workdays: 2027-02-06", "1: workdays 后面要写一个列表，例如 workdays: [2027-01-01]"),
        ("workdays:\n  2027-02-06: 上班", "2: workdays 后面要写一个列表，例如 workdays: [2027-01-01]"),
        ("published_years: 2027", "1: published_years 后面要写一个列表，例如 published_years: [2027]"),
        ("holidays:\n- 2027-01-01: 元旦", "2: 日期后面写节日名称时，不要再写行首的「-」"),
        ("holidays:\n  2027-01-01: [元旦]", "2: 这里要写节日名称，不能再套一层列表或键"),
        ("workdays: [[2027-02-06]]", "1: 这里要写日期，不能再套一层列表或键"),
        ("published_years: [明年]", "1: 「明年」不是年份，请写成 2027 这样"),
        ("published_years: [2026, 2026]", "1: 2026 年与第 1 行重复，请删掉一处"),
        (
            "\npublished_years: [2027]\nholidays: [2028-01-01]",
            "2: 2027 年还没有列出放假日，请先把国务院公布的放假安排填进 holidays",
        ),
        ("- 2027-02-06", f"1: 最外层要写 {ONLY}，例如 workdays: [2027-02-06]"),
        ("holidays:\n  2027-01-01: 元旦: 新年", "2: 这一行写法有误，多半是缩进、冒号后的空格或括号："),
        ("workdays: [2027-02-06", "1: 这一行写法有误，多半是缩进、冒号后的空格或括号："),
        ("workdays: [2027-02-06]\x00", "1: 不是 UTF-8 纯文字，请另存为 UTF-8 编码"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line_and_its_remedy(file, text, message):
    path = file(text)
    with pytest.raises(OverridesError) as refused:
        WorkCalendar.default(path)
    told = str(refused.value).removeprefix(f"{path}:")
    assert told == message or (message.endswith("：") and told.startswith(message))  # PyYAML's own words follow


def test_a_file_from_an_old_editor(file):
    with pytest.raises(OverridesError, match=":1: 不是 UTF-8 纯文字，请另存为 UTF-8 编码"):
        load_overrides(file("holidays:\n  2027-01-01: 元旦", encoding="gb18030"))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(OverridesError, match=r"missing\.yaml:1: 打不开这个文件，请检查路径和权限"):
        WorkCalendar.default(tmp_path / "missing.yaml")


# ── When to count again ────────────────────────────────────────────────────────────


def fingerprint(**overrides):
    return WorkCalendar(Overrides(**overrides)).fingerprint


def test_the_fingerprint_is_the_same_in_every_process():
    code = "from aftersales.work_calendar import WorkCalendar; print(WorkCalendar.default().fingerprint)"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    assert told == WorkCalendar.default().fingerprint == fingerprint()


def test_the_fingerprint_changes_with_every_day_and_year_that_becomes_known():
    new_year = {date(2027, 1, 1): "元旦"}
    seen = [
        fingerprint(),
        fingerprint(published_years=frozenset({2027})),
        fingerprint(holidays=new_year),
        fingerprint(holidays=new_year, published_years=frozenset({2027})),
        fingerprint(holidays={date(2027, 1, 4): "元旦"}),
        fingerprint(workdays=frozenset({date(2027, 1, 2)})),
        fingerprint(workdays=frozenset({date(2023, 1, 2)})),
        fingerprint(holidays={date(2023, 1, 28): "店休"}),
    ]
    assert len(set(seen)) == len(seen)


def test_the_fingerprint_stays_when_the_file_says_what_is_known_already():
    known = {date(2023, 1, 2): "另一个名字", date(2023, 1, 7): "本来就是周六"}
    again = fingerprint(holidays=known, workdays=frozenset({date(2023, 1, 28)}), published_years=frozenset({2026}))
    assert again == fingerprint()
