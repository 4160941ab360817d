"""Who may come in: a file of `name:password` lines, and the rule that nobody listens to a network unguarded."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcbm_model.errors import SettingsError

if TYPE_CHECKING:
    from starlette.requests import Request

_SECRET = 8
"""Characters of the secret between proxy and app, at least."""
_COST = {"n": 2**14, "r": 8, "p": 1}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(host: str, *, guarded: bool, allow_open: bool) -> None:
    """Refuse to listen to a network without a password unless told so in words.

    Raises:
        SettingsError: `host` is reachable from outside, nothing guards it, and nobody said that this is meant.
    """
    if is_loopback(host) or guarded or allow_open:
        return
    raise SettingsError(
        "--host",
        "would let everyone on the network in without a password",
        value=host,
        remedy="Add --auth-file FILE (lines of name:password), or say --allow-open",
    )


def hash_password(password: str) -> str:
    """`scrypt$SALT$HASH` for a line of the auth file, so that the file need not hold the password itself."""
    salt = secrets.token_hex(16)
    return f"scrypt${salt}${hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **_COST).hex()}"


def read_auth_file(path: str | Path) -> Callable[[str, str], bool]:
    """The check behind the login page. Lines are `name:password` or `name:scrypt$SALT$HASH`; `#` begins a comment.

    Raises:
        SettingsError: The file cannot be read, has no user, or a line is wrong (named by number, never shown).
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), f"cannot be read: {error}", remedy="Pass a text file") from error
    users: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, secret = line.strip().partition(":")
        well_formed = not secret.startswith("scrypt$") or _is_hash(secret)
        if not (name and colon and secret and well_formed):
            raise SettingsError(f"{path}, line {number}", "is not name:password", remedy="Mend the line")
        users[name] = secret
    if not users:
        raise SettingsError(str(path), "names no user", remedy="Add lines of name:password")
    return lambda name, password: _matches(users.get(name), password)


def forwarded_user(header: str, secret: str, secret_header: str = "X-Forwarded-Secret") -> Callable[[Any], str | None]:
    """Gradio's `auth_dependency` for single sign-on by a proxy in front (oauth2-proxy, Authelia, a company's own).

    The proxy logs people in, sets `header` to their name and `secret_header` to a secret that only it and the app know,
    and drops both from whatever comes from outside. Without the right secret nobody is let in: a request that goes
    around the proxy cannot invent a name.

    Raises:
        SettingsError: No name of a header, or a secret that could be guessed.
    """
    for name in (header, secret_header):
        if not re.fullmatch(r"[A-Za-z0-9-]+", name):
            raise SettingsError("header", "is no name of a header", value=name, remedy="Such as X-Forwarded-User")
    if len(secret) < _SECRET:
        raise SettingsError("secret", f"must have at least {_SECRET} characters", remedy="Make one with openssl rand")

    def user(request: Request) -> str | None:
        given = request.headers.get(secret_header, "")
        if not hmac.compare_digest(given.encode(), secret.encode()):
            return None
        return request.headers.get(header, "").strip() or None

    return user


def _is_hash(secret: str) -> bool:
    parts = secret.split("$")
    try:
        return len(parts) == 3 and bool(bytes.fromhex(parts[1])) and len(bytes.fromhex(parts[2])) == 64
    except ValueError:
        return False


def _matches(secret: str | None, password: str) -> bool:
    if secret is None:
        return False
    if secret.startswith("scrypt$"):
        _, salt, wanted = secret.split("$")
        given = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **_COST).hex()
        return hmac.compare_digest(given, wanted)
    return hmac.compare_digest(password.encode(), secret.encode())
