"""What the demo sells and who buys it: titles, specs and prices that go together, so that lists and reports look alive.

What is bought depends on what the ticket says: only what has a motor or a screen is repaired, only vouchers are
refunded one by one, and whose size does not fit wears it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aftersales.decide import NewTicket
from aftersales.habits import Dice


@dataclass(frozen=True)
class Item:
    """`no` is the shop's own number; `fen` its price."""

    no: str
    title: str
    spec: str
    fen: int


WORN: Sequence[Item] = (
    Item("YM1011", "羊毛中筒袜 3 双装", "灰白 均码", 1_990),
    Item("YM1024", "针织毛线帽", "驼色", 3_900),
    Item("YM1037", "半指针织手套", "米白", 3_900),
    Item("YM2006", "加绒打底裤", "黑 M", 5_980),
    Item("YM2018", "法兰绒睡衣套装", "豆沙粉 L", 9_900),
    Item("YM2033", "羊毛混纺围巾", "燕麦 180×70", 12_800),
    Item("YM2041", "灯芯绒背带裙", "焦糖 S", 12_800),
    Item("YM3009", "高领羊毛衫", "雾蓝 L", 19_900),
    Item("YM3015", "羊毛马甲", "浅灰 M", 19_900),
    Item("YM3022", "加绒马丁靴", "棕 42 码", 32_900),
    Item("YM3030", "羊毛半身裙", "格纹 M", 32_900),
    Item("YM4002", "山羊绒开衫", "米白 M", 59_900),
    Item("YM5001", "双面羊毛大衣", "驼色 M", 129_900),
    Item("YM5008", "澳洲羊毛被 2.2×2.4 m", "本白 4 斤", 129_900),
    Item("YM6001", "长绒山羊绒大衣", "炭黑 XL", 459_900),
)
ELECTRIC: Sequence[Item] = (
    Item("JD0107", "数显毛球修剪器", "白", 1_990),
    Item("JD0112", "充电暖手宝", "奶油绿", 3_900),
    Item("JD0203", "手持除螨仪", "白", 5_980),
    Item("JD0215", "折叠烘鞋器", "灰", 9_900),
    Item("JD0221", "手持挂烫机", "藏青", 12_800),
    Item("JD0302", "电热毯 双人双控", "1.8×2 m", 19_900),
    Item("JD0318", "桌面暖风机", "米白", 32_900),
    Item("JD0409", "无线吸尘器 V8", "灰紫", 59_900),
    Item("JD0501", "干衣护理柜", "单门 白", 129_900),
    Item("JD0602", "扫地机器人 X20 Pro", "基站版 白", 459_900),
)
VOUCHERS: Sequence[Item] = (
    Item("QY0011", "羊毛衫清洗养护券", "1 件", 3_900),
    Item("QY0024", "大衣干洗券", "门店通用", 9_900),
    Item("QY0032", "床品除螨上门服务券", "双人床", 12_800),
)
BUYERS = (
    "梅子酱", "阿柚", "秋日私语", "老周户外", "w***9", "陈志远", "顾先生", "月亮上的兔子", "阿尔山的风", "小满妈妈",
    "爱吃螺蛳粉的小陈",
    "t***2", "林间有鹿", "李女士", "山城阿火", "北方的狼", "花生酱拌面", "一颗青梅", "Momo 要早睡", "赵云澜", "不加糖",
    "南风知我意",
    "大橘为重", "y***子", "海盐汽水", "东北老铁", "何以笙箫", "晚安玛卡巴卡", "程程呀", "用户7482913650",
)  # fmt: skip
#: of most buyers platforms show the first and the last letter only
_FIRST = "阿白陈程大丁冬方高郭何胡江可兰李林刘罗马梅南宁潘钱秋任沈宋苏孙唐田王吴夏谢徐许杨姚叶于袁张赵"
_LAST = "安宝晨丹芳飞刚红花欢慧佳洁静军凯丽亮琳玲梅明娜宁平琪青蓉珊涛婷伟文霞笑欣雪燕洋怡颖勇雨玉月云"
#: the letters that a waybill begins with
COURIERS: Mapping[str, str] = {"SF": "顺丰", "YT": "圆通", "ZT": "中通", "JD": "京东", "EM": "邮政"}


def bought(new: NewTicket, dice: Dice) -> NewTicket:
    """The same with a buyer and an item at about the price that was paid. Two tickets of an order buy the same."""
    buyer = dice.one_of(BUYERS) if dice.chance(0.3) else f"{dice.one_of(_FIRST)}***{dice.one_of(_LAST)}"
    shelf = ELECTRIC if new.workflow == "repair" else VOUCHERS if new.facts.get("kind") == "voucher" else WORN
    paid = int(new.facts.get("paid_fen") or 0)
    nearest = min((abs(one.fen - paid) for one in shelf), default=0)
    item = dice.one_of([one for one in shelf if not paid or abs(one.fen - paid) == nearest])
    described = {"item_title": item.title, "item_spec": item.spec}
    return replace(new, item_no=item.no, buyer=buyer, extra={**new.extra, **described})


def courier_of(waybill_no: str) -> str | None:
    """Who carries a parcel with this number."""
    return COURIERS.get(waybill_no[:2])
