"""Money: whole 分 inside, yuan where people read and write it.  No float ever holds an amount."""

from __future__ import annotations

import re

from aftersales.saying import Written, say

MAX_FEN = 10**12
"""The largest amount accepted, in 分: ten thousand million yuan.  More is a mistake of the keyboard."""

_WRITE = "请写成 1299.00 这样"
# Full-width signs of an input method, the full-width yen sign and the mathematical minus.  Not Unicode's NFKC, which
# would also read 5² as 52.
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0xFFE5: "¥", 0x2212: "-"}
_AMOUNT = re.compile(
    r"(?P<minus>-)?¥? *(?P<inner_minus>-)?"
    r"(?P<yuan>[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)(?:\.(?P<decimals>[0-9]+))? *元?"
)


def yuan(fen: int) -> str:
    """分 as people read them: 129900 is ¥1,299.00, -5 is -¥0.05."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}¥{whole:,}.{rest:02}"


def fen(text: str, *, allow_negative: bool = False) -> int:
    """The 分 in an amount of yuan as people and exports write it: ¥1,299.00, ￥329, 1,299, 329元, full-width too.

    ValueError, in Chinese, for anything that would need guessing or rounding: more than two decimals, scientific
    notation, commas not every three digits, a negative amount unless allowed, more than MAX_FEN.
    """
    if not isinstance(text, str):
        raise ValueError(say("金额 {text} 不是文字，{write}", text=Written(repr(text)), write=_WRITE))
    plain = text.translate(_HALF_WIDTH).strip()
    found = _AMOUNT.fullmatch(plain)
    if found is None or (found["minus"] and found["inner_minus"]):
        raise ValueError(_unreadable(plain))
    decimals = found["decimals"] or ""
    if len(decimals) > 2:
        raise ValueError(say("金额「{text}」最多写两位小数，到分为止，{write}", text=Written(plain), write=_WRITE))
    amount = _within_bounds(found["yuan"].replace(",", "") + decimals.ljust(2, "0"), plain)
    if not (found["minus"] or found["inner_minus"]):
        return amount
    if not allow_negative:
        raise ValueError(say("金额「{text}」不能是负数，请去掉负号", text=Written(plain)))
    return -amount


def _within_bounds(digits: str, written: str) -> int:
    digits = digits.lstrip("0") or "0"
    if len(digits) > len(str(MAX_FEN)) or int(digits) > MAX_FEN:  # length first: int() chokes on thousands of digits
        much = Written(written[:20])
        raise ValueError(say("金额「{text}」太大，最多 {most}，请检查是否多写了几位", text=much, most=yuan(MAX_FEN)))
    return int(digits)


def _unreadable(plain: str) -> str:
    if not plain:
        return say("没有写金额，{write}", write=_WRITE)
    if re.fullmatch(r"[-+]?[0-9.]+E[-+]?[0-9]+", plain, re.IGNORECASE):
        return say("金额「{text}」是科学计数法，已经丢了位数，{write}", text=Written(plain), write=_WRITE)
    if "," in plain and re.fullmatch(r"[-¥0-9,. 元]+", plain):
        return say("金额「{text}」的逗号要每三位一个，{write}，也可以不写逗号", text=Written(plain), write=_WRITE)
    return say("看不懂金额「{text}」，{write}", text=Written(plain[:20]), write=_WRITE)


def voucher_share(paid_fen: int, count: int, total: int) -> int:
    """What `count` of the `total` vouchers of an order are worth, in 分, the fraction dropped (decisions.md 10).

    The last voucher of an order refunded one by one takes what is left over; that is the caller's to know.
    """
    if paid_fen < 0:
        raise ValueError(say("实付金额不能是负数，现在是 {paid}", paid=yuan(paid_fen)))
    if not 0 <= count <= total or total == 0:
        words = "卡券张数不对：共 {total} 张，退 {count} 张；张数要在 0 和总数之间，总数至少 1 张"
        raise ValueError(say(words, total=total, count=count))
    return paid_fen * count // total
