"""What platforms and couriers tell the desk: received, understood, followed, compared.

verify (is it theirs) -> receive (kept as it came) -> work (in the background: one of the tables kuaishou, wechat,
taobao, douyin or kuaidi100 reads it, follow says which steps that makes) -> the one door. compare: what still differs.
Pure: report, the tables, parcel, follow, compare. See docs/feeds.md.
"""

from aftersales.feeds.douyin import DOUYIN
from aftersales.feeds.kuaishou import KUAISHOU
from aftersales.feeds.report import Platform
from aftersales.feeds.taobao import TAOBAO
from aftersales.feeds.wechat import WECHAT

PLATFORMS: dict[str, Platform] = {one.key: one for one in (KUAISHOU, WECHAT, TAOBAO, DOUYIN)}
#: couriers' tracking: not a platform of tickets
KUAIDI100 = "kuaidi100"
TITLES = {**{key: one.title for key, one in PLATFORMS.items()}, KUAIDI100: "快递100"}
