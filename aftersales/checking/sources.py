"""The table files: where they are, which are none, and how they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aftersales.checking.problem import Problem

#: the folder of the package
PACKAGE = Path(__file__).parents[1]
WORKFLOWS, POLICIES = "workflows", "policies"
#: modules that give the tables their words, or hang them together
NOT_TABLES = {"__init__", "vocabulary", "facts", "guards", "effects", "context", "plain", "links"}
#: the largest shipped table has 15 kB
_LARGEST = 300_000


@dataclass(frozen=True)
class Source:
    """The text of one table. `path` is what people are shown."""

    folder: str
    name: str
    path: str
    text: str

    @property
    def module(self) -> str:
        return f"aftersales.{self.folder}.{self.name}"


#: by module name
Sources = Mapping[str, Source]


def shipped(package: Path = PACKAGE) -> tuple[dict[str, Source], list[Problem]]:
    """The tables that come with the product, or with a copy of it."""
    return read_all(
        (path, folder)
        for folder in (WORKFLOWS, POLICIES)
        for path in sorted((package / folder).glob("*.py"))
        if path.stem not in NOT_TABLES
    )


def in_rules_dir(rules_dir: Path) -> tuple[dict[str, Source], list[Problem]]:
    """The operator's own policies. OSError if the directory cannot be read."""
    paths = sorted(path for path in rules_dir.iterdir() if path.suffix == ".py" and path.name[0] not in "._")
    return read_all((path, POLICIES) for path in paths)


def given(paths: Iterable[Path]) -> tuple[dict[str, Source], list[Problem]]:
    """Files to be checked in place of those that are shipped; of a folder, all tables in it."""
    files: list[tuple[Path, str]] = []
    problems: list[Problem] = []
    for path in paths:
        if path.is_dir():
            files += [(file, _folder_of(file)) for file in _tables_in(path)]
        elif path.exists():
            files.append((path, _folder_of(path)))
        else:
            problems.append(Problem(str(path), 1, "F1", "没有这个文件，请检查路径"))
    sources, more = read_all(files)
    return sources, problems + more


def _tables_in(folder: Path) -> list[Path]:
    """Of the package or a copy of it: its two folders of tables; of another folder: what lies in it."""
    rooms = [folder / room for room in (WORKFLOWS, POLICIES) if (folder / room).is_dir()] or [folder]
    return [file for room in rooms for file in sorted(room.glob("*.py")) if file.stem not in NOT_TABLES]


def _folder_of(path: Path) -> str:
    """Workflows are known by their folder, their name, or the class in them."""
    if path.parent.name in (WORKFLOWS, POLICIES):
        return path.parent.name
    known = (PACKAGE / WORKFLOWS / path.name).exists()
    return WORKFLOWS if known or b"(Workflow," in path.read_bytes() else POLICIES


def read_all(files: Iterable[tuple[Path, str]]) -> tuple[dict[str, Source], list[Problem]]:
    sources: dict[str, Source] = {}
    problems: list[Problem] = []
    for path, folder in files:
        found = read(path, folder)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            sources[found.module] = found
    return sources, problems


def read(path: Path, folder: str) -> Source | Problem:
    where = shown_path(path)
    if path.stem in NOT_TABLES:
        return Problem(where, 1, "F2", f"{path.name} 是程序的一部分，不能替换，请换一个文件名")
    if not (path.stem.isascii() and path.stem.isidentifier() and path.stem == path.stem.lower()):
        return Problem(where, 1, "F2", f"文件名「{path.stem}」不能用，没有读它；请只用小写英文字母、数字和下划线")
    try:
        if path.stat().st_size > _LARGEST:
            return Problem(where, 1, "F3", "文件超过 300 KB，不像规则表，没有读它；请检查是不是放错了文件")
        return Source(folder, path.stem, where, path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return Problem(where, line, "F4", "文件不是 UTF-8 编码，请用编辑器另存为 UTF-8 再试")
    except OSError as error:
        return Problem(where, 1, "F5", f"文件读不出来（{error.strerror}），请检查文件和它的权限")


def shown_path(path: Path) -> str:
    """From where the person stands, if the file lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
