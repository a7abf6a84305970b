"""The house as its rules see it: modules by name, with their text, their tree and what they use."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("domain", "projections", "processmanager", "gateways", "deploy")
CODE = (*PRODUCT, "tests", "benchmarks")


class Module:
    """One source file under its dotted name; a package goes by the name of its folder."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.tree = ast.parse(text)

    @property
    def folder(self) -> str:
        """The top folder, which is the layer that it belongs to."""
        return self.name.partition(".")[0]

    @cached_property
    def imported(self) -> tuple[str, ...]:
        """Every dotted name that it imports, at its top or within a function; a member with its module."""
        return tuple(
            name
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in _dotted(node)
        )

    @cached_property
    def used(self) -> tuple[str, ...]:
        """Every imported thing that it uses, under its true name: ``dt.now`` is ``datetime.datetime.now``."""
        aliases = dict(_aliases(self.tree))
        chains = (_chain(node) for node in ast.walk(self.tree) if isinstance(node, ast.Attribute | ast.Name))
        return tuple(
            ".".join((aliases[chain[0]], *chain[1:])) for chain in chains if chain and chain[0] in aliases
        )

    @cached_property
    def words(self) -> frozenset[str]:
        """Every text constant in it."""
        return frozenset(
            node.value
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )


class House:
    """All modules by their dotted names."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.modules = {name: Module(name, text) for name, text in texts.items()}

    def of(self, *folders: str) -> list[Module]:
        """The modules of some layers."""
        return [module for module in self.modules.values() if module.folder in folders]

    def targets(self, module: Module) -> set[str]:
        """The modules of the house that ``module`` imports, or names in full as in ``-m deploy.worker``."""
        needed = {self._home(name) for name in module.imported} | (module.words & self.modules.keys())
        return {name for name in needed if name} - {module.name}

    def _home(self, name: str) -> str:
        """The module in which ``name`` lives: itself, or the one that it is a member of."""
        while name and name not in self.modules:
            name = name.rpartition(".")[0]
        return name


def the_house() -> House:
    """The checkout, read anew."""
    paths = (path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py")))
    return House({_name(path.relative_to(ROOT)): path.read_text("utf-8") for path in paths})


def files() -> Iterator[tuple[str, str]]:
    """Every text file of the checkout that is kept, by its path within."""
    kept_out = {line.strip("/ ") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()}
    yield from _files(ROOT, kept_out | {".git"})


def _files(folder: Path, kept_out: set[str]) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.iterdir()):
        if path.name in kept_out or any(word[:1] == "*" and path.match(word) for word in kept_out):
            continue
        if path.is_dir():
            yield from _files(path, kept_out)
        else:
            yield str(path.relative_to(ROOT)), path.read_text("utf-8", "replace")


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _dotted(node: ast.Import | ast.ImportFrom) -> Iterable[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _chain(node: ast.expr) -> tuple[str, ...]:
    """``a.b.c`` as its parts; nothing if it does not begin with a plain name."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute) and (before := _chain(node.value)):
        return (*before, node.attr)
    return ()
