"""The commands `aftersales feeds ...` and `aftersales reconcile FILE`."""

from __future__ import annotations

import json
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aftersales import clock, intake, store
from aftersales.database import reading
from aftersales.feeds import TITLES
from aftersales.feeds.compare import KINDS
from aftersales.feeds.reconcile import Summary, reconcile_file
from aftersales.feeds.verify import verifier
from aftersales.feeds.work import Worker, work
from aftersales.office import feeds as office

if TYPE_CHECKING:
    from aftersales.application import Application


def connect_command(application: Application, platform: str, shop: str, scheme: str) -> int:
    if platform not in TITLES:
        return _failed(f"没有「{platform}」这个平台，可选：{'、'.join(TITLES)}")
    if verifier(scheme) is None:
        return _failed(f"没有安装「{scheme}」这种验签方式")
    shop_id = _shop_id(application, shop)
    if shop_id is None:
        return _failed(f"没有「{shop}」这家店，请先在 /team 里添加")
    secret = office.connect(application.engine, shop_id, platform, scheme, clock.now())
    sys.stdout.write(
        f"地址：POST /feeds/{platform}?shop={shop_id}\n密钥（只显示这一次）：{secret}\n验签方式：{scheme}\n"
    )
    return 0


def disconnect_command(application: Application, platform: str, shop: str) -> int:
    shop_id = _shop_id(application, shop)
    if shop_id is None or not office.disconnect(application.engine, shop_id, platform):
        return _failed("这家店没有接这个平台")
    sys.stdout.write("已断开，不再收消息；收到的照样处理完\n")
    return 0


def _shop_id(application: Application, shop: str) -> int | None:
    with reading(application.engine) as connection:
        return store.shop_id_of(connection, shop, create=False)


def work_command(application: Application, *, once: bool) -> None:
    if once:
        sys.stdout.write(f"处理了 {work(application.desk, most=1_000_000)} 条消息\n")
        return
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    worker = Worker(application.desk)
    worker.start()
    stopped.wait()
    worker.stop()


def reconcile_command(
    application: Application, file: Path, whole: bool, platform: str, shop: str, as_of: str | None, *, as_json: bool
) -> int:
    """0: nothing differs; 1: something does, or could not be read; 2: the file cannot be read."""
    try:
        said_at = clock.parse(as_of) if as_of else datetime.fromtimestamp(file.stat().st_mtime, UTC)
        summary = reconcile_file(
            application.desk, file, clock.now(), as_of=said_at, whole=whole, platform=platform, shop=shop
        )
    except (intake.IntakeError, ValueError, OSError) as problem:
        return _failed(f"读不了 {file.name}：{problem}", 2)
    sys.stdout.write((json.dumps(summary.to_json(), ensure_ascii=False) if as_json else _rendered(summary)) + "\n")
    return 1 if summary.differing or summary.unread or summary.unknown_shops else 0


def _rendered(summary: Summary) -> str:
    lines = [f"读了 {summary.read} 张；一致 {summary.same} 张；读不懂 {summary.unread} 行"]
    lines += [f"  {KINDS[kind]}：{count} 处" for kind, count in summary.differing.most_common()]
    lines += [f"  没有这家店：{shop}（{count} 行没有核对）" for shop, count in summary.unknown_shops.items()]
    if summary.differing:
        lines.append("逐条决定：网页 /reconcile")
    return "\n".join(lines)


def _failed(sentence: str, status: int = 1) -> int:
    sys.stderr.write(f"{sentence}\n")
    return status
