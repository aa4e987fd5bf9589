"""`aftersales check`: every message word for word, defects planted in the shipped tables, and how long tickets live."""

from pathlib import Path

from aftersales.checking import sources as reading
from aftersales.checking.examine import examine
from aftersales.checking.sources import Source

BAD = Path(__file__).parents[1] / "bad"


def read_case(path):
    """The tables of a bad example by their place, and what `check` must say of them."""
    tables, expected, lines = {}, [], None
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("=== check"):
            lines = expected
        elif line.startswith("=== "):
            lines = tables.setdefault(line.split()[1], [])
        else:
            lines.append(line)
    return {place: "".join(text) for place, text in tables.items()}, [line.rstrip("\n") for line in expected]


def problems_of(tables):
    """What is said of these tables, beside the shipped ones."""
    shipped, _ = reading.shipped()
    own = {}
    for place, text in tables.items():
        folder, name = place.removesuffix(".py").split("/")
        source = Source(folder, name, f"{name}.py", text)
        own[source.module] = source
    return [str(problem) for problem in examine({**shipped, **own}).problems if problem.path in {s.path for s in own.values()}]
