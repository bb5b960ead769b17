"""API keys as they are written down, and the rule on where playhead may listen without any."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from service.access.door import is_loopback, keyring_of, refuse_open_door
from service.access.files import add_key, read_file, remove_key
from service.access.keyring import Key, Keyring, Scope, digest_of, new_token, read_keys
from service.errors import CannotStart, SettingsError
from service.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "0f" * 32


def key(name: str = "web", *scopes: Scope, token: str = "") -> Key:
    return Key(name, frozenset(scopes or (Scope.INGEST,)), digest_of(token or f"token of {name}"))


def test_a_key_is_what_its_line_says() -> None:
    whole = Key("web.1", frozenset((Scope.READ, Scope.INGEST)), bytes(32), 500, 20, "2026-11-21")
    assert read_keys(whole.as_line(), "here") == [whole]
    assert whole.as_line() == (
        f"web.1 ingest,read sha256:{'00' * 32} events_per_second=500 requests_per_second=20 created=2026-11-21"
    )


def test_comments_blank_lines_and_semicolons_are_no_keys() -> None:
    text = (
        f"# mine\n\na ingest {DIGEST} # the first\n;b admin sha256:{'ab' * 32} ;; c read sha256:{'cd' * 32}"
    )
    assert [one.name for one in read_keys(text, "here")] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("web ingest", "expected a name"),
        (f"web/1 ingest {DIGEST}", "name is"),
        (f"web all {DIGEST}", "scopes are ingest, read, admin"),
        ("web ingest playhead_secret", "not the key itself"),
        (f"web ingest {DIGEST} color=red", "no option"),
        (f"web ingest {DIGEST} events_per_second=0", "whole number from 1"),
        (f"web ingest {DIGEST} events_per_second=-1", "whole number from 1"),
        (f"web ingest {DIGEST} events_per_second=" + "9" * 5000, "whole number from 1"),
        (f"web ingest {DIGEST}\nweb read sha256:{'ab' * 32}", "twice"),
        (f"web ingest {DIGEST}\nother read {DIGEST}", "twice"),
    ],
)
def test_a_line_that_is_no_key_is_named_and_not_repeated(line: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        read_keys("# first\n" + line, "/etc/keys")
    assert f"/etc/keys, line {line.count(chr(10)) + 2}: " in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_token_finds_its_key_and_no_other_does() -> None:
    tokens = [new_token() for _ in range(3)]
    ring = Keyring(key(f"k{n}", token=token) for n, token in enumerate(tokens))
    found = [ring.find(token) for token in tokens]
    assert [one and one.name for one in found] == ["k0", "k1", "k2"]
    for wrong in ("", tokens[0][:-1], tokens[0] + "=", "token", "\udcff", digest_of(tokens[0]).hex()):
        assert ring.find(wrong) is None


def test_admin_includes_the_others() -> None:
    assert all(key("root", Scope.ADMIN).may(scope) for scope in Scope)
    assert [scope for scope in Scope if key("web", Scope.READ).may(scope)] == [Scope.READ]


def test_the_file_is_its_owners_alone_and_keeps_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    add_key(path, key("a"))
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("# ours\n" + path.read_text().rstrip("\n"))
    path.chmod(0o640)
    add_key(path, key("b"))
    remove_key(path, "a")
    assert path.read_text() == f"# ours\n{key('b').as_line()}\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys"]


def test_of_keys_made_at_the_same_moment_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add_key(path, key(f"k{number}")), range(40)))
    assert len(read_file(path)) == 40


def test_a_name_that_is_there_and_one_that_is_not_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    add_key(path, key("a"))
    with pytest.raises(SettingsError, match="already"):
        add_key(path, key("a", token="other"))
    with pytest.raises(SettingsError, match="no key named 'b'"):
        remove_key(path, "b")


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"#" * (1024 * 1024 + 1)])
def test_a_file_that_cannot_be_used_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match="PLAYHEAD_KEYS_FILE"):
        keyring_of(Settings(keys_file=path))


def test_an_empty_file_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.touch()
    assert keyring_of(Settings()) is None
    ring = keyring_of(Settings(keys_file=path))
    assert ring is not None
    assert ring.keys == ()


def test_a_key_in_both_places_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    add_key(path, key("a"))
    settings = Settings(keys_file=path, keys=key("b").as_line())
    assert [one.name for one in (keyring_of(settings) or Keyring(())).keys] == ["b", "a"]
    with pytest.raises(SettingsError, match="in common"):
        keyring_of(Settings(keys_file=path, keys=key("a").as_line()))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "localhost"])
def test_loopback_is_open(host: str) -> None:
    assert is_loopback(host)
    refuse_open_door(Settings(host=host))


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7", "no.such.invalid"]
)
def test_wider_needs_keys_or_an_explicit_word(host: str, tmp_path: Path) -> None:
    empty = tmp_path / "keys"
    empty.touch()
    for refused in (Settings(host=host), Settings(host=host, keys_file=empty), Settings(published_host=host)):
        with pytest.raises(CannotStart, match="playhead keys create"):
            refuse_open_door(refused)
    refuse_open_door(Settings(host=host, keys=key().as_line()))
    refuse_open_door(Settings(host=host, open=True))


def test_what_counts_in_a_container_is_where_it_is_published() -> None:
    refuse_open_door(Settings(host="0.0.0.0", published_host="127.0.0.1"))
