"""The names that a table may refer to, read from the text of the files that hold them. Nothing is run."""

from __future__ import annotations

import ast
from functools import cache

from aftersales.checking.sources import PACKAGE, POLICIES, WORKFLOWS, Source, Sources

#: `from aftersales.workflows import facts`: the only names of the package itself
PACKAGE_OF_WORDS = "aftersales.workflows"
_WORDS_OF_PACKAGE = frozenset({"facts", "guards", "effects"})
_HOLD_WORDS = {"vocabulary", *_WORDS_OF_PACKAGE}
#: what may be asked of any workflow beside its rows
ROWS_OF_EVERY_WORKFLOW = frozenset({"waiting"})


class Library:
    """The product's own words, and the tables at hand."""

    def __init__(self, tables: Sources) -> None:
        self._tables = tables
        self._trees: dict[str, ast.Module | None] = {}
        self._words: dict[str, frozenset[str] | None] = {PACKAGE_OF_WORDS: _WORDS_OF_PACKAGE}

    def modules(self) -> list[str]:
        own = [f"aftersales.{WORKFLOWS}.{name}" for name in sorted(_WORDS_OF_PACKAGE)]
        vocabularies = [f"aftersales.{folder}.vocabulary" for folder in (WORKFLOWS, POLICIES)]
        return [PACKAGE_OF_WORDS, *own, *vocabularies, *self._tables]

    def has(self, module: str) -> bool:
        return module in self._tables or module in self.modules()

    def words(self, module: str) -> frozenset[str] | None:
        """The names that others may import from it; None if there is no such file or it cannot be read."""
        if module not in self._words:
            tree = self._tree(module)
            self._words[module] = None if tree is None else _public_names(tree)
        return self._words[module]

    def rows(self, module: str, workflow: str) -> frozenset[str] | None:
        """The rows of a workflow; None if the module has no such workflow."""
        tree = self._tree(module) if module in self._tables else None
        for statement in tree.body if tree else ():
            if isinstance(statement, ast.ClassDef) and statement.name == workflow:
                return frozenset(name for row in statement.body for name in _assigned(row))
        return None

    def _tree(self, module: str) -> ast.Module | None:
        if module not in self._tables:
            return _tree_of_words(module)
        if module not in self._trees:
            self._trees[module] = _parsed(self._tables[module].text)
        return self._trees[module]


@cache
def _tree_of_words(module: str) -> ast.Module | None:
    """A file of the product that is no table."""
    [*_, folder, name] = module.split(".")
    path = PACKAGE / folder / f"{name}.py"
    if folder not in (WORKFLOWS, POLICIES) or name not in _HOLD_WORDS or not path.exists():
        return None
    return _parsed(path.read_text(encoding="utf-8"))


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _public_names(tree: ast.Module) -> frozenset[str]:
    """`__all__` where there is one, else what the file itself makes: never what it has imported."""
    found: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and _assigned(statement) == ["__all__"]:
            return frozenset(ast.literal_eval(statement.value))
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found.add(statement.name)
        found.update(_assigned(statement))
    return frozenset(name for name in found if not name.startswith("_"))


def _assigned(statement: ast.stmt) -> list[str]:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    names = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [name.id for name in names if isinstance(name, ast.Name)]


def imports_of(source: Source) -> set[str]:
    """The modules that a table imports from."""
    tree = _parsed(source.text)
    return {node.module for node in tree.body if isinstance(node, ast.ImportFrom) and node.module} if tree else set()
