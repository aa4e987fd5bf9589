"""Which addresses may be reached from here. An endpoint is typed in by a person, and the desk stands in a network
where more can be reached than from outside: its own services, its neighbours, the cloud's metadata.

A name is resolved once, every address it stands for is looked at, and the connection is made to one of those.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from aftersales.errors import Refused
from aftersales.saying import say

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_URL = 500
#: what the library calls global, and is not for us: Azure's host, and IPv6 that carries IPv4 (6to4, Teredo, NAT64)
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("168.63.129.16/32", "192.88.99.0/24", "2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48"),
        *("::/96", "::ffff:0:0:0/96", "fec0::/10", "5f00::/16"),
    )
)
#: a host that inet_aton would take for an address: 2130706433, 0177.0.0.1, 0x7f.1, 127.1
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?", re.IGNORECASE)


class Unreachable(Exception):
    """The address cannot or must not be reached. Says why, in a word for the log."""


@dataclass(frozen=True)
class Target:
    """An endpoint's URL in its parts."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def target(url: str, *, loopback: bool = False) -> Target:
    """The parts of the URL. Refused: it is not one that may be called. `loopback`: this machine may be, by http too."""
    if len(url) > LONGEST_URL or re.search(r"[\s\x00-\x20\x7f\\]", url):
        raise _refused("地址里有空格或不认识的字符，或超过 500 字，请核对")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused("地址看不懂，请写成 https://主机/路径") from None
    if parts.scheme not in ("https", "http") or not host:
        raise _refused("地址看不懂，请写成 https://主机/路径")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused("地址里不能带账号、密码或 #，请去掉")
    host = _host(host)
    secure = parts.scheme == "https"
    if not secure and not (loopback and _is_this_machine(host)):
        raise _refused("只能用 https 地址，请换成 https:// 开头的")
    address = literal(host)
    if address is not None and not allowed(address, loopback=loopback):
        raise _refused("这是内网或保留的地址，不能使用，请换成公网地址")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise _refused("地址里有中文，请先编码成 %XX 的形式")
    return Target(secure, host, port if port is not None else (443 if secure else 80), path)


def _host(host: str) -> str:
    """In ASCII. Refused: a number that only looks like a name, or what is no name at all."""
    if ":" in host:
        if literal(host) is None or "%" in host:
            raise _refused("地址看不懂，请写成 https://主机/路径")
        return host
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        raise _refused("主机名看不懂，请核对") from None
    if _NUMERIC.fullmatch(host) and literal(host) is None:
        raise _refused("主机请写域名，或普通写法的 IP 地址")
    if not _HOST.fullmatch(host):
        raise _refused("主机名看不懂，请核对")
    return host


def _refused(sentence: str) -> Refused:
    return Refused("invalid_field", say(sentence))


def literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_this_machine(host: str) -> bool:
    address = literal(host)
    return host.rstrip(".") == "localhost" or (address is not None and address.is_loopback)


def allowed(address: Address, *, loopback: bool = False) -> bool:
    """Is it out in the world? Of an IPv6 address that stands for an IPv4 address that one is asked."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return allowed(address.ipv4_mapped, loopback=loopback)
        if address.scope_id is not None:
            return False
    if address.is_loopback:
        return loopback
    if any(address.version == net.version and address in net for net in _NEVER):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _ask(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def resolved(
    wanted: Target, *, loopback: bool = False, ask: Callable[[str, int], Sequence[str]] = _ask
) -> Sequence[str]:
    """The addresses to connect to. Unreachable: the name is unknown, or one of them must not be reached."""
    try:
        found = ask(wanted.host, wanted.port)
    except (OSError, UnicodeError):
        raise Unreachable("域名解析失败") from None
    addresses = [literal(one) for one in found]
    if not found or not all(one is not None and allowed(one, loopback=loopback) for one in addresses):
        raise Unreachable("域名指向内网或保留的地址，没有发送")
    return found
