"""Layer 1: the file is a table and not a program, and every name in it exists. Nothing is imported or run.

A table imports words, gives names to what it builds from them, and that is all: no condition, no loop, no function,
no sum. So whoever can read one line of it can read the whole, and a table that is wrong cannot do harm.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aftersales.checking.library import PACKAGE_OF_WORDS, ROWS_OF_EVERY_WORKFLOW, Library
from aftersales.checking.problem import Problem, meant, nearest
from aftersales.checking.sources import POLICIES, WORKFLOWS, Source
from aftersales.checking.syntax import in_plain_words

#: what people call the things a table may not hold
_PROGRAM = {
    ast.If: "条件语句 if", ast.IfExp: "条件语句 if", ast.For: "循环 for", ast.While: "循环 while",
    ast.FunctionDef: "函数 def", ast.AsyncFunctionDef: "函数 def", ast.Lambda: "函数 lambda",
    ast.ClassDef: "class", ast.Import: "import", ast.Try: "try", ast.With: "with", ast.Dict: "花括号 {}",
    ast.Set: "花括号 {}", ast.JoinedStr: "f\"...\"", ast.Subscript: "方括号取值", ast.BinOp: "算式",
    ast.UnaryOp: "算式", ast.Compare: "比较", ast.BoolOp: "and、or", ast.ListComp: "循环 for",
    ast.GeneratorExp: "循环 for", ast.DictComp: "循环 for", ast.SetComp: "循环 for", ast.AugAssign: "+= 一类的赋值",
    ast.AnnAssign: "带类型的赋值", ast.Delete: "del", ast.Assert: "assert", ast.Raise: "raise", ast.Match: "match",
    ast.Expr: "没有名字的一句",
}  # fmt: skip
_METHODS = {"one_of"}
#: a list of lists of lists can be written in a few lines and fill all memory
_LONGEST_LIST = 10_000
#: what `class Exchange(Workflow, key=...)` sets itself, over any row of that name
_LOST = {"key", "label", "code"}


@dataclass(frozen=True)
class _Name:
    """What a name of the file stands for, as far as its text tells."""

    line: int
    #: the module of words, or the module and class of a workflow, whose names may be asked for with a dot
    module: str | None = None
    workflow: str | None = None
    #: a mistake has been reported; what is built on it is passed over
    doubtful: bool = False


def check_table(source: Source, library: Library) -> list[Problem]:
    """The problems of one file. What is imported is looked up by `library`."""
    try:
        tree = ast.parse(source.text)
        compile(tree, source.path, "exec", dont_inherit=True)  # sees a little more, and runs nothing
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, message = in_plain_words(error)
        return [Problem(source.path, line, "T1", message)]
    reader = _Reader(source, library, _later_names(tree))
    if ast.get_docstring(tree) is None:
        reader.report(1, "T2", "文件开头缺一段说明，请写明这是哪个平台或哪种工单，用三个引号括起来")
    try:
        reader.read(tree)
    except RecursionError as error:
        reader.report(in_plain_words(error)[0], "T1", in_plain_words(error)[1])
    return sorted(reader.problems, key=lambda problem: problem.line)


def _later_names(tree: ast.Module) -> dict[str, int]:
    """Where each name of the file is given, to tell one that comes too late from one that is unknown."""
    found: dict[str, int] = {}
    for statement in tree.body:
        for name in _given_by(statement):
            found.setdefault(name, statement.lineno)
    return found


def _given_by(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return [statement.name] if isinstance(statement, ast.ClassDef) else []


class _Reader:
    """Reads a table from top to bottom, as Python will."""

    def __init__(self, source: Source, library: Library, later: dict[str, int]) -> None:
        self.source, self.library, self.later = source, library, later
        self.names: dict[str, _Name] = {}
        self.rows: dict[str, _Name] | None = None
        self.problems: list[Problem] = []
        self.lengths: dict[str, int] = {}
        #: "import *": any name may have come with it
        self.anything_goes = False

    def report(self, line: int, code: str, message: str) -> None:
        self.problems.append(Problem(self.source.path, line, code, message))

    def program(self, node: ast.AST, line: int) -> None:
        what = _PROGRAM.get(type(node), type(node).__name__)
        advice = "请只写表里已有的词；做不到的，请开发加一个新词"
        self.report(line, "T3", f"规则文件只能列表格，不能写程序，这里用了{what}；{advice}")

    # ── statements ──

    def read(self, tree: ast.Module) -> None:
        for statement in _without_docstring(tree.body):
            if isinstance(statement, ast.ImportFrom):
                self.read_import(statement)
            elif isinstance(statement, ast.Assign):
                self.read_assignment(statement, self.names)
            elif isinstance(statement, ast.ClassDef) and self.source.folder == WORKFLOWS:
                self.read_workflow(statement)
            else:
                self.program(statement, statement.lineno)

    def read_assignment(self, statement: ast.Assign, scope: dict[str, _Name]) -> None:
        self.read_value(statement.value)
        length = self.length_of(statement.value)
        if length > _LONGEST_LIST:
            self.report(statement.lineno, "T3", f"这一列展开有 {length} 项，太长了，请检查是不是把同一组写了很多遍")
        self.lengths |= dict.fromkeys(_given_by(statement), min(length, _LONGEST_LIST))
        [target, *others] = statement.targets
        if others or not isinstance(target, ast.Name):
            self.report(statement.lineno, "T3", "等号左边只能写一个名字，请每个名字写一行")
            for name in _given_by(statement):
                self.give(name, _Name(statement.lineno, doubtful=True), scope)
            return
        self.give(target.id, _Name(statement.lineno), scope)

    def length_of(self, node: ast.expr) -> int:
        """How many things a list holds once every *name in it is spread out."""
        if isinstance(node, ast.List | ast.Tuple):
            return sum(self.length_of(element) for element in node.elts)
        if isinstance(node, ast.Starred):
            return (
                self.lengths.get(node.value.id, 1) if isinstance(node.value, ast.Name) else self.length_of(node.value)
            )
        if isinstance(node, ast.Call):
            return sum(self.length_of(value) for value in (*node.args, *(item.value for item in node.keywords)))
        return 1

    def give(self, name: str, meaning: _Name, scope: dict[str, _Name]) -> None:
        """Python lets a second row of the same name replace the first without a word."""
        if name in scope:
            line = scope[name].line
            self.report(meaning.line, "T6", f"「{name}」在第 {line} 行已经用过，后一行会悄悄盖掉前一行，请换一个名字")
        elif name.startswith("__"):
            self.report(meaning.line, "T6", f"名字不能以两个下划线开头，请把「{name}」换一个名字")
        scope.setdefault(name, meaning)

    def read_workflow(self, statement: ast.ClassDef) -> None:
        bases = [base.id for base in statement.bases if isinstance(base, ast.Name)]
        if bases != ["Workflow"] or statement.decorator_list:
            example = f'class {statement.name}(Workflow, key="…", label="…", code="…"):'
            self.report(statement.lineno, "T3", f"流程的第一行要写成 {example}")
        for value in [*statement.bases, *(keyword.value for keyword in statement.keywords)]:
            self.read_value(value)
        self.rows = {}
        for row in _without_docstring(statement.body):
            if isinstance(row, ast.Assign):
                self.read_assignment(row, self.rows)
                self.report_lost_names(row)
            else:
                self.program(row, row.lineno)
        self.rows = None
        self.give(statement.name, _Name(statement.lineno, self.source.module, statement.name), self.names)

    def report_lost_names(self, row: ast.Assign) -> None:
        for name in sorted(_LOST.intersection(_given_by(row))):
            self.report(row.lineno, "W18", f"「{name}」是流程自己的名字，这一行会丢掉，请换一个英文名")

    # ── imports ──

    def read_import(self, statement: ast.ImportFrom) -> None:
        module, line = statement.module or "", statement.lineno
        if statement.level or not self.may_import(module):
            self.report(line, "T4", self.import_refused(module))
            return
        words = self.library.words(module)
        if words is None and not self.library.has(module):
            hint = meant(module, self.library.modules(), "请检查拼写")
            self.report(line, "T7", f"没有 {module} 这个文件，{hint}")
        for alias in statement.names:
            self.read_imported(module, alias, words)

    def may_import(self, module: str) -> bool:
        rooms = [WORKFLOWS] if self.source.folder == WORKFLOWS else [WORKFLOWS, POLICIES]
        return any(module == f"aftersales.{room}" or module.startswith(f"aftersales.{room}.") for room in rooms)

    def import_refused(self, module: str) -> str:
        if self.source.folder == WORKFLOWS and module.startswith(f"aftersales.{POLICIES}"):
            return "流程文件不能引用 policies：流程里不写时限，时限写在平台的规则文件里；请删掉这一行"
        rooms = "aftersales.workflows"
        rooms += "" if self.source.folder == WORKFLOWS else " 和 aftersales.policies"
        return f"规则文件只能引用 {rooms} 里的词，不能引用「{module or '.'}」，请删掉这一行"

    def read_imported(self, module: str, alias: ast.alias, words: frozenset[str] | None) -> None:
        name, line = alias.name, alias.lineno
        if name == "*":
            self.report(line, "T4", "请逐个写明要引用的词，不能写 *")
            self.anything_goes = True
            return
        unknown = words is None or name not in words
        if words is not None and unknown:
            self.report(line, "T7", f"{module} 里没有「{name}」，{meant(name, words)}")
            self.names[nearest(name, words) or name] = _Name(line, doubtful=True)
        package = f"{module}.{name}" if module == PACKAGE_OF_WORDS else None
        workflow = name if self.library.rows(module, name) is not None else None
        home = module if workflow else package
        self.give(alias.asname or name, _Name(line, home, workflow, doubtful=unknown), self.names)

    # ── values ──

    def read_value(self, node: ast.expr) -> None:
        readers: dict[type, Callable[[Any], None]] = {
            ast.Constant: self.read_constant, ast.Name: self.read_name, ast.Attribute: self.read_attribute,
            ast.Call: self.read_call, ast.List: self.read_list, ast.Tuple: self.read_list,
            ast.Starred: lambda starred: self.read_value(starred.value), ast.UnaryOp: self.read_minus,
        }  # fmt: skip
        read = readers.get(type(node))
        if read is None:
            self.program(node, node.lineno)
        else:
            read(node)

    def read_constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str | int | float | None):
            self.program(node, node.lineno)

    def read_minus(self, node: ast.UnaryOp) -> None:
        """A negative number is wrong everywhere, but the word that it is given to says so better."""
        if not (isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)):
            self.program(node, node.lineno)

    def read_list(self, node: ast.List | ast.Tuple) -> None:
        for element in node.elts:
            self.read_value(element)

    def read_call(self, node: ast.Call) -> None:
        self.read_value(node.func)
        for argument in node.args:
            self.read_value(argument)
        for keyword in node.keywords:
            if keyword.arg is None:
                self.report(keyword.value.lineno, "T3", "请把每一项写成「名字=值」，不能写 **")
            self.read_value(keyword.value)

    def read_name(self, node: ast.Name) -> None:
        name, scopes = node.id, (self.rows or {}, self.names)
        if self.anything_goes or any(name in scope for scope in scopes):
            return
        if name in self.later and self.later[name] > node.lineno:
            late = self.later[name]
            self.report(node.lineno, "T8", f"「{name}」到第 {late} 行才写，请把它移到这一行前面")
            return
        hint = meant(name, [known for scope in scopes for known in scope], "请检查拼写，或在文件开头引用它")
        self.report(node.lineno, "T8", f"没有「{name}」这个名字，{hint}")

    def read_attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name):
            self.read_name(node.value)
            self.read_dotted(node, self.names.get(node.value.id))
        elif node.attr in _METHODS and isinstance(node.value, ast.Attribute | ast.Call):
            self.read_value(node.value)
        else:
            self.report(node.lineno, "T10", f"不能这样取「.{node.attr}」，请只写「文件.名字」或「流程.名字」")

    def read_dotted(self, node: ast.Attribute, meaning: _Name | None) -> None:
        """`facts.reason`, `Exchange.auto_approve`: does that row exist?"""
        name = node.attr
        if meaning is None or meaning.doubtful or name in _METHODS:
            return
        if meaning.module is None:
            self.report(node.lineno, "T10", f"不能这样取「.{name}」，请只写「文件.名字」或「流程.名字」")
            return
        known = self.known_names(meaning)
        if known is not None and name not in known:
            owner = ast.unparse(node.value)
            self.report(node.lineno, "T9", f"{owner} 里没有「{name}」，{meant(name, known)}")

    def known_names(self, meaning: _Name) -> frozenset[str] | None:
        if meaning.workflow is None:
            return self.library.words(meaning.module or "")
        rows = self.library.rows(meaning.module or "", meaning.workflow)
        return None if rows is None else rows | ROWS_OF_EVERY_WORKFLOW


def _without_docstring(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for index, statement in enumerate(body):
        told = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not (index == 0 and told):
            yield statement
