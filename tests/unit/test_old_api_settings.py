"""What is set of an old system is checked before anything starts, and never said aloud."""

from __future__ import annotations

import pytest

from service.errors import SettingsError
from service.settings import Settings, load


def test_headers_are_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings(old_api_headers="x-api-key: da2-x\n Authorization:  Bearer a b \n")
    assert given.old_headers == {"x-api-key": "da2-x", "Authorization": "Bearer a b"}
    assert Settings().old_headers == {}
    for wrong in ("x-api-key", "x api: secret", ": secret", "a: b\nsecret"):
        monkeypatch.setenv("PLAYHEAD_OLD_API_HEADERS", wrong)
        with pytest.raises(SettingsError, match="a line that is not like `x-api-key") as refused:
            load()
        assert "secret" not in str(refused.value)


def test_the_address_is_safe() -> None:
    for url in ("http://10.0.0.1/graphql", "https://a:b@old.example/", "old.example", "ftp://127.0.0.1/"):
        with pytest.raises(ValueError, match="old_api_url is https"):
            Settings(old_api_url=url)
    assert Settings(old_api_url="https://x.appsync-api.eu-central-1.amazonaws.com/graphql").old_api_url
