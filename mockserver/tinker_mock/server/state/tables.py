"""Records that tell their table when they change, so that whoever keeps them knows what to keep.

A table in memory keeps no account. `Table.watch` gives it one: a set that gathers the keys of what
is new, changed or gone until somebody takes them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, TypeVar


class Account(set[str]):
    """Keys of what has changed. `told` is called when there is one more."""

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._told = told

    def add(self, key: str) -> None:
        if key not in self:
            super().add(key)
            self._told()


class Record:
    """Base of the records that live in a table: setting a field is noted there.

    What is changed in place (a list that grows) is told by `touch`.
    """

    FLEETING: ClassVar[frozenset[str]] = frozenset()
    """Fields whose change alone is not worth keeping; they are kept along with others."""
    _account: Account | None = None
    _key: str = ""

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # a look at its __dict__ would make it larger
        if self._account is not None and name not in self.FLEETING:
            self._account.add(self._key)

    def touch(self) -> None:
        """Something inside a field has changed."""
        if self._account is not None:
            self._account.add(self._key)

    def enter(self, account: Account | None, key: str) -> None:
        """From now on changes are noted in `account` under `key`."""
        object.__setattr__(self, "_account", account)
        object.__setattr__(self, "_key", key)

    @property
    def watched(self) -> bool:
        """Somebody keeps account of it."""
        return self._account is not None

    def __getstate__(self) -> dict[str, Any]:
        """A copy belongs to no table yet."""
        return {name: value for name, value in self.__dict__.items() if name[0] != "_"}


R = TypeVar("R", bound=Record)


class Table(dict[str, R], Generic[R]):
    """Records by their id."""

    def __init__(self, records: Iterable[tuple[str, R]] = ()) -> None:
        super().__init__()
        self.account: Account | None = None
        for key, record in records:
            self[key] = record

    def watch(self, account: Account | None) -> None:
        """Note the keys of what changes from now on."""
        self.account = account
        for key, record in self.items():
            record.enter(account, key)

    def place(self, key: str, record: R, account: Account | None) -> None:
        """Enter a record that is kept as it is; changes are noted in `account` from now on."""
        super().__setitem__(key, record)
        record.enter(account, key)

    def __setitem__(self, key: str, record: R) -> None:
        super().__setitem__(key, record)
        record.enter(self.account, key)
        record.touch()

    def __delitem__(self, key: str) -> None:
        self[key].touch()
        super().__delitem__(key)

    def pop(self, key: str, default: Any = None) -> Any:
        """Take a record out; `default` when there is none."""
        if key not in self:
            return default
        record = self[key]
        del self[key]
        return record

    def setdefault(self, key: str, record: R) -> R:
        """The record under that key, which is this one when it is new."""
        if key not in self:
            self[key] = record
        return self[key]

    def __deepcopy__(self, memo: dict[int, Any]) -> Table[R]:
        return Table((key, copy.deepcopy(record, memo)) for key, record in self.items())
