"""Who must be looked at again when a resource changes: those that name it."""

from martlet_operator.reconcile.queue import Key


class Dependents:
    """Built from what was read, so it needs no store: at start every resource is read once."""

    def __init__(self) -> None:
        self._named_by: dict[Key, set[Key]] = {}
        self._names: dict[Key, set[Key]] = {}

    def names(self, key: Key, references: set[tuple[str, str]]) -> None:
        """``key`` names these (kind, name) of its namespace, and no others any more."""
        self.forget(key)
        targets = {Key(kind, key.namespace, name) for kind, name in references}
        self._names[key] = targets
        for target in targets:
            self._named_by.setdefault(target, set()).add(key)

    def forget(self, key: Key) -> None:
        for target in self._names.pop(key, set()):
            users = self._named_by[target]
            users.discard(key)
            if not users:
                del self._named_by[target]

    def of(self, key: Key) -> set[Key]:
        """The keys that name ``key``."""
        return set(self._named_by.get(key, set()))
