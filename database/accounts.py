"""Which system account runs the embedded PostgreSQL, and what that account can reach.

PostgreSQL refuses to run as root. When the server is root, an account without any rights runs the
database, and only the folders on its way are opened: for passing through, never for reading.
"""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ACCOUNT_NAME: Final = "alertbook-db"


@dataclass(frozen=True, slots=True)
class Account:
    """User and group id of a process without supplementary groups."""

    uid: int
    gid: int

    def may(self, path: Path, wanted: int) -> bool:
        """True when the mode bits of `path` grant `wanted` (4 read, 2 write, 1 pass) to this account."""
        status = path.stat()
        if status.st_uid == self.uid:
            granted = status.st_mode >> 6
        elif status.st_gid == self.gid:
            granted = status.st_mode >> 3
        else:
            granted = status.st_mode
        return granted & wanted == wanted

    def may_pass_to(self, path: Path) -> bool:
        """True when every parent folder of `path` lets this account through."""
        return all(self.may(parent, 1) for parent in path.parents)


def needed_account(cluster: Path) -> Account | None:
    """The account that runs PostgreSQL on the folder `cluster`; None when it is our own.

    Data that exist keep their owner, so that a copied or mounted data folder goes on working.
    """
    if os.geteuid() != 0:
        return None
    if (cluster / "PG_VERSION").exists():
        status = cluster.stat()
        if status.st_uid != 0:
            return Account(status.st_uid, status.st_gid)
    entry = _system_user()
    return Account(entry.pw_uid, entry.pw_gid)


def _system_user() -> pwd.struct_passwd:
    """The account `alertbook-db`, made if the system can make one, else `nobody`."""
    try:
        return pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd:
        subprocess.run(
            [
                useradd,
                "--system",
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                "/bin/false",
                ACCOUNT_NAME,
            ],
            check=False,
            capture_output=True,
        )
    try:
        return pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        return pwd.getpwnam("nobody")


def open_passage(path: Path, account: Account) -> list[Path]:
    """Let `account` pass through the parents of `path`; returns the folders that had to be opened.

    Only the bit for passing through is set, for everyone (or for the folder's group when that is the
    account's group), so that names inside stay unreadable.
    """
    opened = []
    for parent in reversed(path.parents):
        if account.may(parent, 1):
            continue
        status = parent.stat()
        bit = stat.S_IXGRP if status.st_gid == account.gid else stat.S_IXOTH
        parent.chmod(stat.S_IMODE(status.st_mode) | bit)
        opened.append(parent)
    return opened


def share_programs(folder: Path, account: Account) -> bool:
    """Make the installed PostgreSQL readable for `account`; True when something had to change.

    These are public programs that a strict umask made private when they were installed.
    """
    changed = False
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        wanted = 5 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 4
        if not account.may(path, wanted):
            path.chmod(stat.S_IMODE(path.stat().st_mode) | wanted << 3 | wanted)
            changed = True
    return changed
