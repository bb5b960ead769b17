"""Who owns the files, and as whom each server runs.

An ordinary user runs everything as themselves. Root acts for the owner of the data folder, so that what root
starts once, the owner can start again. Where root is the owner, Postgres, which refuses root, runs as an
unprivileged user.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from service.errors import CannotStart

NOBODY = 65534
"""The number of `nobody` on Linux, for systems without a user list, such as minimal containers."""


@dataclass(frozen=True, slots=True)
class Identity:
    uid: int
    gid: int

    @property
    def is_caller(self) -> bool:
        return self.uid == os.geteuid()

    def take(self, path: Path) -> None:
        """Makes `path` belong to this identity; only root can give away, and nobody else needs to."""
        if not self.is_caller:
            give(path, self)

    def take_tree(self, top: Path) -> None:
        """Like `take`, for all within: a data folder that root restored from a backup belongs to root."""
        if self.is_caller or top.stat().st_uid == self.uid:
            return
        for folder, _, files in os.walk(top):
            for name in (".", *files):
                give(Path(folder, name), self)


def caller() -> Identity:
    return Identity(os.geteuid(), os.getegid())


def owner_of(data_dir: Path) -> Identity:
    """For whom the caller acts in this data folder, which need not exist yet."""
    if os.geteuid() == 0 and data_dir.exists():
        status = data_dir.stat()
        return Identity(status.st_uid, status.st_gid) if status.st_uid else caller()
    return caller()


def unprivileged(owner: Identity, postgres_dir: Path) -> Identity:
    """As whom Postgres runs: whoever made its files, the owner, or for root a user made for this."""
    if os.geteuid() != 0:
        return caller()
    if (postgres_dir / "data").exists() and postgres_dir.stat().st_uid != 0:
        status = postgres_dir.stat()
        return Identity(status.st_uid, status.st_gid)
    if owner.uid != 0 and has_name(owner):
        return owner
    return _user_named("postgres") or _user_named("nobody") or Identity(NOBODY, NOBODY)


def has_name(user: Identity) -> bool:
    """A container often runs as a number that its user list does not know, and initdb refuses that."""
    try:
        pwd.getpwuid(user.uid)
    except KeyError:
        return False
    return True


def _user_named(name: str) -> Identity | None:
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        return None
    return Identity(user.pw_uid, user.pw_gid)


def give(path: Path, user: Identity) -> None:
    """Raises CannotStart where root may not, as in a container that knows no other user."""
    try:
        os.chown(path, user.uid, user.gid, follow_symlinks=False)
    except OSError as failed:
        raise CannotStart(
            f"root cannot give {path} to user {user.uid} ({failed.strerror}): do not run playhead as root"
        ) from None
