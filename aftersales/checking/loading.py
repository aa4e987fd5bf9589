"""Runs tables in a room of their own: what they make is looked at before anything of it is used.

A table that is run here sees the other tables of the room, and of Python nothing but what building a table takes.
Layer 1 has been passed before; the narrow room is the second lock on the same door.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

from aftersales.checking.library import PACKAGE_OF_WORDS
from aftersales.checking.problem import Problem
from aftersales.checking.sources import Source, Sources
from aftersales.checking.syntax import wrong_use
from aftersales.policies.vocabulary import Document, House, Policy, Rule, Ruling
from aftersales.workflows.vocabulary import Workflow

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Place:
    """Where a thing was written: the file, the line, and the name it was given there (or none)."""

    path: str
    line: int
    name: str = ""


@dataclass
class Room:
    """The tables that could be run, in the order in which they were finished, and why others could not."""

    sources: Sources
    modules: dict[str, ModuleType] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _places: dict[int, Place] = field(default_factory=dict)
    _written: list[tuple[Any, Place]] = field(default_factory=list)

    def workflows(self) -> list[type[Workflow]]:
        return [kind for kind, _ in self.written(type) if issubclass(kind, Workflow)]

    def policies(self) -> list[Policy]:
        return [policy for policy, _ in self.written(Policy)]

    def houses(self) -> list[House]:
        return [house for house, _ in self.written(House)]

    def written(self, kind: type[Thing]) -> Iterator[tuple[Thing, Place]]:
        """Everything of this kind that a table writes under a name or in a list of its own."""
        return ((thing, place) for thing, place in self._written if isinstance(thing, kind))

    def place_of(self, thing: object, otherwise: object = None) -> Place:
        """Where it stands; where the other thing stands if it was written by no table of this room."""
        unknown = Place("?", 1)
        return self._places.get(id(thing)) or self._places.get(id(otherwise), unknown)

    def note(self, source: Source, module: ModuleType) -> None:
        """Write down who wrote what. Tables are finished before those that import them, so the writer comes first."""
        for statement in ast.parse(source.text).body:
            for name in _names_given(statement):
                self.write(getattr(module, name, None), Place(source.path, statement.lineno, name))

    def write(self, value: Any, place: Place) -> None:
        """The value stands there, and so does what it holds, unless that was written elsewhere before."""
        for thing in _things(value):
            line = thing.line if isinstance(thing, Rule | Ruling) else place.line
            if id(thing) not in self._places:
                self._places[id(thing)] = Place(place.path, line, place.name)
                self._written.append((thing, self._places[id(thing)]))


def _names_given(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return [statement.name] if isinstance(statement, ast.ClassDef) else []


def _things(value: Any) -> Iterator[Any]:
    """The value, and what it holds."""
    yield value
    if isinstance(value, Policy):
        yield from (*_things(value.documents), *_things(value.rules))
    elif isinstance(value, House):
        yield from _things(value.targets)
    elif isinstance(value, list | tuple):
        for element in value:
            if isinstance(element, Rule | Ruling | Document):
                yield element


def run(sources: Sources, missing: Collection[str] = ()) -> Room:
    """Runs every one of these tables. Whatever they do, nothing is raised. A table that needs one of those that are
    `missing`, or one that fails, is passed over without a word: the word has been said of the other."""
    runner = _Runner(sources, missing)
    for module in sources:
        runner.finished(module)
    return runner.room


class _NotThere(ImportError):
    """The table needs one that could not be run: that one has been reported, this one is passed over."""


class _Runner:
    def __init__(self, sources: Sources, missing: Collection[str]) -> None:
        self.room, self._missing = Room(sources), missing
        self._begun: set[str] = set()
        self._running: list[str] = []

    def finished(self, name: str) -> ModuleType | None:
        """The module of this table; None if it cannot be run, which has been reported."""
        if name in self._running:
            raise ImportError(f"{' 和 '.join(dict.fromkeys([*self._running, name]))} 互相引用，请去掉其中一处引用")
        if name not in self.room.modules and name not in self._begun:
            self._begun.add(name)
            self._running.append(name)
            module = self._run(self.room.sources[name])
            self._running.pop()
            if module is not None:
                self.room.modules[name] = module
                self.room.note(self.room.sources[name], module)
        return self.room.modules.get(name)

    def _run(self, source: Source) -> ModuleType | None:
        module = ModuleType(source.module)
        vars(module)["__builtins__"] = {"__build_class__": builtins.__build_class__, "__import__": self._import}
        try:
            exec(compile(source.text, source.path, "exec", dont_inherit=True), vars(module))  # noqa: S102 -- layer 1 has read it
        except _NotThere:
            return None
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- a table may be wrong in any way there is
            line = _line_in(source, error)
            self.room.problems.append(Problem(source.path, line, "T5", wrong_use(error, vars(module))))
            return None
        return module

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 -- Python's own names
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        if name in self.room.sources or name in self._missing:
            module = None if name in self._missing else self.finished(name)
            if module is None:
                raise _NotThere(name)
            return module
        if name == PACKAGE_OF_WORDS:
            for word in fromlist:
                importlib.import_module(f"{name}.{word}")
        return importlib.import_module(name)


def _line_in(source: Source, error: BaseException) -> int:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == source.path]
    return (lines[-1] if lines else getattr(error, "lineno", None)) or 1
