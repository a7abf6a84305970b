"""Which route a path means, and which names are in it: ``/API/Orders/65af/`` is ``/api/orders/:order``.

Letter case and stray slashes do not matter, as in the servers that classic clients were made for; so
whoever knows one spelling of a path has to know which of its parts are ids, which are left alone. With
that known, what serves a route's own path is found by a single look into a dictionary.
"""

from collections.abc import Iterable, Mapping

_NONE: Mapping[str, str] = {}


class Paths:
    """paths: of all routes; ``:name`` stands for any one part."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._open: dict[int, list[tuple[str, list[str]]]] = {}
        for path in sorted(self._paths):
            if ":" in path:
                parts = path.split("/")[1:]
                self._open.setdefault(len(parts), []).append((path, parts))

    def find(self, path: str) -> tuple[str, Mapping[str, str]]:
        """The route's path and the names in it. A path of no route is given back as it is."""
        if path in self._paths and ":" not in path:
            return path, _NONE
        parts = [part for part in path.split("/") if part]
        low = [part.lower() for part in parts]
        spelt = "/" + "/".join(low)
        if spelt in self._paths and ":" not in spelt:
            return spelt, _NONE
        for route, pattern in self._open.get(len(parts), ()):
            names = {}
            for wanted, part, small in zip(pattern, parts, low, strict=True):
                if wanted[0] == ":":
                    names[wanted[1:]] = part
                elif wanted != small:
                    break
            else:
                return route, names
        return path, _NONE
