"""Money: whole 分, and no guessing about what somebody wrote."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersales.money import MAX_FEN, fen, voucher_share, yuan


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (129_900, "¥1,299.00"),
        (0, "¥0.00"),
        (5, "¥0.05"),
        (-5, "-¥0.05"),
        (-129_999, "-¥1,299.99"),
        (12_888_800, "¥128,888.00"),
        (MAX_FEN, "¥10,000,000,000.00"),
    ],
)
def test_an_amount_as_people_read_it(amount, words):
    assert yuan(amount) == words


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("¥1,299.00", 129_900),
        ("￥329", 32_900),
        ("¥ 329", 32_900),
        ("329.00", 32_900),
        ("329.5", 32_950),
        ("1,299", 129_900),
        ("1,234,567.89", 123_456_789),
        ("329元", 32_900),
        ("329.00 元\t", 32_900),
        ("￥１，２９９．００", 129_900),
        ("0.01", 1),
        ("0", 0),
        ("007.10", 710),
        ("10000000000.00", MAX_FEN),
    ],
)
def test_an_amount_as_people_write_it(written, amount):
    assert fen(written) == amount


@pytest.mark.parametrize("written", ["-¥1,299.00", "¥-1299", "-1299.00", "－１２９９", "−1299"])
def test_a_negative_amount_only_where_one_is_allowed(written):
    assert fen(written, allow_negative=True) == -129_900
    with pytest.raises(ValueError, match="不能是负数，请去掉负号"):
        fen(written)


WRITE = "请写成 1299.00 这样"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", f"没有写金额，{WRITE}"),
        ("  ", f"没有写金额，{WRITE}"),
        ("¥", f"看不懂金额「¥」，{WRITE}"),
        ("三百", f"看不懂金额「三百」，{WRITE}"),
        ("NaN", f"看不懂金额「NaN」，{WRITE}"),
        ("Infinity", f"看不懂金额「Infinity」，{WRITE}"),
        ("0x10", f"看不懂金额「0x10」，{WRITE}"),
        ("1_000", f"看不懂金额「1_000」，{WRITE}"),
        ("5²", f"看不懂金额「5²」，{WRITE}"),
        ("٣٢٩", f"看不懂金额「٣٢٩」，{WRITE}"),
        ("1.2.3", f"看不懂金额「1.2.3」，{WRITE}"),
        ("329.", f"看不懂金额「329.」，{WRITE}"),
        (".50", f"看不懂金额「.50」，{WRITE}"),
        ("--5", f"看不懂金额「--5」，{WRITE}"),
        ("-¥-5", f"看不懂金额「-¥-5」，{WRITE}"),
        ("$329", f"看不懂金额「$329」，{WRITE}"),
        ("1e5", f"金额「1e5」是科学计数法，已经丢了位数，{WRITE}"),
        ("2.25E+10", f"金额「2.25E+10」是科学计数法，已经丢了位数，{WRITE}"),
        ("329.005", f"金额「329.005」最多写两位小数，到分为止，{WRITE}"),
        ("329.000", f"金额「329.000」最多写两位小数，到分为止，{WRITE}"),
        ("12,99", f"金额「12,99」的逗号要每三位一个，{WRITE}，也可以不写逗号"),
        ("1,2990.00", f"金额「1,2990.00」的逗号要每三位一个，{WRITE}，也可以不写逗号"),
        ("0,329", f"金额「0,329」的逗号要每三位一个，{WRITE}，也可以不写逗号"),
        ("10000000000.01", "金额「10000000000.01」太大，最多 ¥10,000,000,000.00，请检查是否多写了几位"),
        ("9" * 9000, f"金额「{'9' * 20}」太大，最多 ¥10,000,000,000.00，请检查是否多写了几位"),
        (329.0, f"金额 329.0 不是文字，{WRITE}"),
        (None, f"金额 None 不是文字，{WRITE}"),
    ],
)
def test_what_is_no_amount_is_refused_and_told_what_to_write(written, message):
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        fen(written)


@given(st.integers(-MAX_FEN, MAX_FEN))
def test_what_is_shown_can_be_read_again(amount):
    assert fen(yuan(amount), allow_negative=True) == amount


@given(st.text(alphabet="0123456789.,-¥￥元 eE+", max_size=25))
def test_no_text_breaks_the_reader(text):
    try:
        understood = fen(text)
    except ValueError as refused:
        understood, message = None, str(refused)
    assert "请" in message if understood is None else 0 <= understood <= MAX_FEN


# ── Vouchers ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("paid", "count", "total", "share"),
    [
        (10_000, 2, 3, 6_666),  # KS-LL-02-two-of-three
        (10_000, 1, 3, 3_333),  # KS-LL-02-one-of-three
        (9_990, 1, 3, 3_330),  # KS-LL-02-exact
        (1, 1, 3, 0),  # KS-LL-02-zero
        (10_000, 3, 3, 10_000),  # KS-LL-01-all-unused
        (10_000, 3, 4, 7_500),  # KS-LL-05-auto-initiated
        (10_000, 0, 3, 0),
        (MAX_FEN, 6, 7, 857_142_857_142),
    ],
)
def test_the_share_of_some_vouchers(paid, count, total, share):
    assert voucher_share(paid, count, total) == share


@given(st.integers(0, MAX_FEN), st.integers(1, 1000))
def test_one_by_one_never_pays_more_than_was_paid(paid, total):
    one = voucher_share(paid, 1, total)
    left_for_the_last = paid - one * (total - 1)
    assert 0 <= one <= left_for_the_last < one + total


@pytest.mark.parametrize(
    ("paid", "count", "total", "message"),
    [
        (-1, 1, 3, "实付金额不能是负数，现在是 -¥0.01"),
        (100, 4, 3, "卡券张数不对：共 3 张，退 4 张；张数要在 0 和总数之间，总数至少 1 张"),
        (100, -1, 3, "卡券张数不对：共 3 张，退 -1 张；张数要在 0 和总数之间，总数至少 1 张"),
        (100, 0, 0, "卡券张数不对：共 0 张，退 0 张；张数要在 0 和总数之间，总数至少 1 张"),
    ],
)
def test_an_impossible_share_is_refused(paid, count, total, message):
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        voucher_share(paid, count, total)
