"""Bearer tokens: what is read out of them, which are refused and why, and which keys they are checked with."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import RSAAlgorithm

from service import clock
from service.access import tokens
from service.access.claims import US, Policy, read_claims
from service.access.door import refuse_open_door
from service.access.jwks import BYTES_MAX, KEYS_MAX, Jwks, read_jwks
from service.access.people import Person, Role
from service.access.tokens import Tokens, secret_key, tokens_of
from service.errors import SettingsError, Unauthorized, UnknownKid
from service.limits import TOKEN_CHARS_MAX
from service.settings import Settings, load
from tests.api.provider import (
    AUDIENCE,
    HS256,
    ISSUER,
    SECRET,
    Signer,
    ec_key,
    es256,
    rs256,
    rsa_key,
    spelled,
    valid_claims,
)
from workers.supervisor import _starred

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_800_000_000
POLICY = Policy(ISSUER, AUDIENCE, leeway_seconds=30)
CLAIMS: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": NOW + 60}


def read(policy: Policy = POLICY, now: float = NOW, **changed: Any) -> Person:
    whole = {name: value for name, value in (CLAIMS | changed).items() if value is not None}
    return read_claims(whole, policy, int(now * US)).person


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(Unauthorized) as refused:
        call()
    return refused.value.reason


@pytest.mark.parametrize(
    ("claims", "person"),
    [
        ({}, Person("ann")),
        ({"sub": "Zoë/ü 日本"}, Person("Zoë/ü 日本")),
        ({"sub": "a" * 256}, Person("a" * 256)),
        ({"roles": "manager", "teams": "sales"}, Person("ann", Role.MANAGER, frozenset({"sales"}))),
        ({"roles": ["learner", "admin", "manager"]}, Person("ann", Role.ADMIN)),
        ({"roles": ["Admin", "admins", "uma_authorization"]}, Person("ann")),
        ({"roles": []}, Person("ann")),
        ({"teams": ["a b", "c"]}, Person("ann", Role.LEARNER, frozenset({"a b", "c"}))),
        ({"aud": ["other", AUDIENCE]}, Person("ann")),
        ({"nbf": NOW + 30}, Person("ann")),
        ({"exp": NOW - 29}, Person("ann")),
        ({"exp": NOW + 0.5}, Person("ann")),
        ({"exp": 10**40}, Person("ann")),
        ({"iat": "whenever", "jti": 7}, Person("ann")),
    ],
)
def test_a_token_says_who_shows_it(claims: dict[str, Any], person: Person) -> None:
    assert read(**claims) == person


def test_the_names_of_claims_are_settings() -> None:
    policy = Policy(ISSUER, AUDIENCE, 30, "https://playhead.example/roles", "groups")
    claims: dict[str, Any] = {
        "https://playhead.example/roles": ["manager"],
        "groups": ["a"],
        "roles": ["admin"],
    }
    told = read(policy, **claims)
    assert told == Person("ann", Role.MANAGER, frozenset({"a"}))


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": None}, "missing_claim"),
        ({"iss": None}, "missing_claim"),
        ({"aud": None}, "missing_claim"),
        ({"sub": None}, "missing_claim"),
        ({"exp": NOW - 30}, "token_expired"),
        ({"exp": 0}, "token_expired"),
        ({"nbf": NOW + 31}, "token_not_valid_yet"),
        ({"iss": ISSUER.rstrip("/")}, "wrong_issuer"),
        ({"iss": [ISSUER]}, "wrong_issuer"),
        ({"aud": "play"}, "wrong_audience"),
        ({"aud": []}, "wrong_audience"),
        ({"aud": {AUDIENCE: 1}}, "wrong_audience"),
        ({"exp": str(NOW + 60)}, "bad_claim"),
        ({"exp": True}, "bad_claim"),
        ({"exp": float("inf")}, "bad_claim"),
        ({"exp": float("nan")}, "bad_claim"),
        ({"exp": [NOW + 60]}, "bad_claim"),
        ({"nbf": "now"}, "bad_claim"),
        ({"sub": ""}, "bad_claim"),
        ({"sub": 7}, "bad_claim"),
        ({"sub": ["ann"]}, "bad_claim"),
        ({"sub": "a" * 257}, "bad_claim"),
        ({"sub": "ann\0"}, "bad_claim"),
        ({"roles": {"admin": True}}, "bad_claim"),
        ({"roles": [["admin"]]}, "bad_claim"),
        ({"teams": 7}, "bad_claim"),
    ],
)
def test_claims_that_are_no_good_are_refused_with_the_reason(claims: dict[str, Any], reason: str) -> None:
    assert reason_of(lambda: read(**claims)) == reason


def test_where_no_audience_is_expected_tokens_for_others_are_refused() -> None:
    assert read(Policy(), aud=None, iss=None) == Person("ann")
    assert reason_of(lambda: read(Policy(), iss=None)) == "wrong_audience"


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    exact = Policy(ISSUER, AUDIENCE)
    for policy, early, late in ((exact, 0, 60), (POLICY, -30, 90)):
        assert read(policy, NOW + early, nbf=NOW)
        assert reason_of(lambda: read(policy, NOW + early - 1, nbf=NOW)) == "token_not_valid_yet"  # noqa: B023
        assert read(policy, NOW + late - 1)
        assert reason_of(lambda: read(policy, NOW + late)) == "token_expired"  # noqa: B023


def published(*signers: Signer) -> Jwks:
    """As it is after a fetch of these keys."""
    jwks = Jwks("https://login.example/jwks.json")
    publish(jwks, *signers)
    return jwks


def publish(jwks: Jwks, *signers: Signer) -> None:
    jwks._keys = read_jwks(orjson.dumps({"keys": [signer.jwk() for signer in signers]}))
    jwks.edition += 1


@pytest.fixture(scope="module")
def both() -> Tokens:
    """What takes tokens by a secret and by published keys."""
    return Tokens(POLICY, secret_key(SECRET.encode()), published(rs256(), es256(), es256("ec2", 1)))


@pytest.fixture(scope="module")
def public() -> Tokens:
    """What takes tokens by published keys alone."""
    return Tokens(POLICY, None, published(rs256(), es256()))


@pytest.mark.parametrize("signer", [rs256(), es256(), es256("ec2", 1), HS256, rs256(None)])
def test_a_token_is_good_by_each_kind_of_key(both: Tokens, signer: Signer) -> None:
    """Without a name of the key, where only one could be meant."""
    assert both.known(signer.token(sub="bob")) == Person("bob")


def unsigned(header: object, claims: object = None, signature: bytes = b"") -> str:
    return ".".join((spelled(header), spelled(claims or valid_claims()), spelled(signature)))


def confused(secret: bytes) -> str:
    """Signed with what everybody knows, as if it were a secret."""
    head = f"{spelled({'alg': 'HS256', 'kid': 'rsa'})}.{spelled(valid_claims())}"
    return f"{head}.{spelled(hmac.digest(secret, head.encode(), hashlib.sha256))}"


def changed(token: str, **claims: object) -> str:
    """With other claims, under the old signature."""
    header, _, signature = token.split(".")
    return ".".join((header, spelled(valid_claims() | claims), signature))


PUBLIC_PEM = (
    rsa_key()
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
)
GOOD = rs256().token()

ATTACKS = {
    "no algorithm": (unsigned({"alg": "none"}), "unknown_algorithm"),
    "no algorithm, otherwise spelled": (unsigned({"alg": "nOnE", "kid": "rsa"}), "unknown_algorithm"),
    "algorithm missing": (unsigned({"typ": "JWT"}), "unknown_algorithm"),
    "a list of algorithms": (unsigned({"alg": ["RS256"]}), "unknown_algorithm"),
    "the public key as a secret": (confused(PUBLIC_PEM), "unknown_algorithm"),
    "the JWK as a secret": (confused(orjson.dumps(rs256().jwk())), "unknown_algorithm"),
    "a secret where there is none": (HS256.token(), "unknown_algorithm"),
    "a longer hash": (Signer("rsa", "RS512", rsa_key()).token(), "unknown_algorithm"),
    "another padding": (Signer("rsa", "PS256", rsa_key()).token(), "unknown_algorithm"),
    "another curve": (Signer("ec", "ES384", ec_key(0, ec.SECP384R1)).token(), "unknown_algorithm"),
    "another curve, as ES256": (unsigned({"alg": "ES256", "kid": "ec"}, None, b"1" * 96), "bad_signature"),
    "a signature of zeros": (unsigned({"alg": "ES256", "kid": "ec"}, None, bytes(64)), "bad_signature"),
    "another's key": (Signer("rsa", "RS256", rsa_key(1)).token(), "bad_signature"),
    "a key under the other's name": (es256("rsa").token(), "unknown_kid"),
    "an invented name": (rs256("../../dev/null").token(), "unknown_kid"),
    "no name, of a key not there": (unsigned({"alg": "ES256", "kid": ""}), "unknown_kid"),
    "a name that is no string": (unsigned({"alg": "RS256", "kid": 7}), "not_a_token"),
    "a name that is a list": (unsigned({"alg": "RS256", "kid": ["rsa"]}), "not_a_token"),
    "a header that is no JSON": (unsigned(b"{"), "not_a_token"),
    "a header of one letter": ("e.e30.e30", "not_a_token"),
    "a key that it brings along": (
        Signer("mine", "RS256", rsa_key(1)).token(
            {"jwk": rs256("mine", 1).jwk(), "jku": "http://127.0.0.1/"}
        ),
        "unknown_kid",
    ),
    "other claims": (changed(GOOD, sub="eve", roles=["admin"]), "bad_signature"),
    "no signature": (GOOD.rpartition(".")[0] + ".", "bad_signature"),
    "two parts": (GOOD.rpartition(".")[0], "not_a_token"),
    "four parts": (GOOD + ".e30", "not_a_token"),
    "a critical extension": (rs256().token({"crit": ["x"], "x": 1}), "not_a_token"),
    "not base64": (GOOD.replace(".", ".!", 1), "not_a_token"),
    "the same signature, padded": (GOOD + "==", "not_a_token"),
    "the same signature, with other bits": (GOOD[:-1] + chr(ord(GOOD[-1]) + 1), "not_a_token"),
    "not ASCII": ("é" + GOOD, "not_a_token"),
    "half a character": ("\udce9" + GOOD, "not_a_token"),
    "a header that is a list": (unsigned([]), "not_a_token"),
    "a header of brackets": (unsigned(b"[" * 5000), "not_a_token"),
    "only dots": ("..", "not_a_token"),
    "too long": (rs256().token(teams=["a" * TOKEN_CHARS_MAX]), "token_too_long"),
}


@pytest.mark.parametrize(("token", "reason"), ATTACKS.values(), ids=ATTACKS)
def test_a_token_that_was_tampered_with_is_refused(public: Tokens, token: str, reason: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        public.known(token)
    assert refused.value.reason == reason
    parts = [part for part in token.split(".") if len(part) > 8]
    assert not any(part in str(refused.value) for part in parts)


def test_neither_key_takes_what_the_other_signed(both: Tokens) -> None:
    for secret in (PUBLIC_PEM, orjson.dumps(rs256().jwk())):
        assert reason_of(lambda: both.known(confused(secret))) == "bad_signature"  # noqa: B023
    assert reason_of(lambda: both.known(Signer("rsa", "HS256", SECRET + "x").token())) == "bad_signature"
    assert both.known(Signer("rsa", "HS256", SECRET).token()) == Person("ann")


@pytest.mark.parametrize("payload", [b"7", b"[]", b'"ann"', b"{", b"\xff", b"[" * 3000])
def test_a_good_signature_of_nonsense_is_refused(both: Tokens, payload: bytes) -> None:
    head = f"{spelled({'alg': 'HS256'})}.{spelled(payload)}"
    token = f"{head}.{spelled(hmac.digest(SECRET.encode(), head.encode(), hashlib.sha256))}"
    assert reason_of(lambda: both.known(token)) == "not_a_token"


def test_a_token_without_a_name_of_its_key_is_refused_where_several_could_be_meant(both: Tokens) -> None:
    assert both.known(rs256(None).token()) == Person("ann")
    assert reason_of(lambda: both.known(es256(None).token())) == "unknown_kid"


def test_a_known_token_is_not_checked_again_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now_us = time.time_ns() // 1000
    monkeypatch.setattr(clock, "now_us", lambda: now_us)
    taken = Tokens(POLICY, None, published(rs256()))
    token = rs256().token(exp=now_us // US + 60)
    taken.known(token)
    monkeypatch.setattr(taken, "_checked", None)
    now_us += 89 * US
    assert taken.known(token) == Person("ann")
    now_us += US
    assert reason_of(lambda: taken.known(token)) == "token_expired"
    assert not taken._passports


def test_no_more_tokens_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "PASSPORTS_MAX", 3)
    taken = Tokens(POLICY, secret_key(SECRET.encode()), None)
    shown = [HS256.token(sub=f"user {number}") for number in range(5)]
    assert [taken.known(token).user for token in shown] == [f"user {number}" for number in range(5)]
    assert len(taken._passports) == 3
    monkeypatch.setattr(taken, "_checked", None)
    assert taken.known(shown[4]) == Person("user 4")


def test_a_token_is_refused_once_its_key_is_withdrawn() -> None:
    jwks = published(rs256(), es256())
    taken = Tokens(POLICY, None, jwks)
    token = rs256().token()
    taken.known(token)
    publish(jwks, es256())
    with pytest.raises(UnknownKid):
        taken.known(token)


@pytest.mark.parametrize(
    "jwk",
    [
        rs256().jwk(use="enc"),
        rs256().jwk(key_ops=["encrypt"]),
        rs256().jwk(alg="RS512"),
        rs256().jwk(alg="ES256"),
        rs256().jwk(alg="HS256"),
        rs256().jwk(alg=7),
        rs256().jwk(kid=7),
        rs256().jwk(n="!"),
        rs256().jwk(n=None),
        RSAAlgorithm.to_jwk(rsa_key(), as_dict=True) | {"key_ops": ["sign", "verify"], "kid": "private"},
        Signer("weak", "RS256", rsa_key(0, 1024)).jwk(),
        Signer("p384", "ES384", ec_key(0, ec.SECP384R1)).jwk(),
        Signer("p384", "ES384", ec_key(0, ec.SECP384R1)).jwk(alg="ES256"),
        Signer("bitcoin", "ES256K", ec_key(0, ec.SECP256K1)).jwk(alg=None),
        es256().jwk(x="AAAA"),
        es256().jwk(crv="P-521"),
        {"kty": "oct", "k": spelled(SECRET.encode()), "kid": "secret"},
        {"kty": "OKP"},
        {},
        "key",
        None,
    ],
)
def test_a_published_key_that_cannot_be_used_is_passed_over(jwk: object) -> None:
    with pytest.raises(ValueError, match="no public key for RS256 or ES256"):
        read_jwks(orjson.dumps({"keys": [jwk]}))
    assert list(read_jwks(orjson.dumps({"keys": [jwk, es256().jwk(alg=None, use=None)]}))) == [
        ("ec", "ES256")
    ]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>",
        b"7",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b"[" * 3000,
        b'{"keys": [%b0]}' % (b"0," * KEYS_MAX),
    ],
)
def test_what_is_no_jwks_is_refused(document: bytes) -> None:
    assert len(document) < BYTES_MAX
    with pytest.raises(ValueError, match="no JWKS of at most"):
        read_jwks(document)


URLS: dict[str, Any] = {"tokens_issuer": ISSUER, "tokens_audience": AUDIENCE}


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example/jwks.json",
        "http://10.0.0.1/jwks.json",
        "http://127.0.0.1.login.example/",
        "http://0.0.0.0/",
        "ftp://127.0.0.1/jwks.json",
        "file:///etc/jwks.json",
        "https://user:password@login.example/",
        "https://",
        "https://login.example:port/",
        "https://[::1",
        "login.example",
    ],
)
def test_keys_are_taken_over_tls_only_or_from_this_machine(url: str) -> None:
    with pytest.raises(ValueError, match="tokens_jwks_url is https"):
        Settings(tokens_jwks_url=url, **URLS)


@pytest.mark.parametrize(
    "url", ["https://login.example/jwks", "http://localhost:1/", "http://127.0.0.5/", "http://[::1]:80/x?y=1"]
)
def test_a_safe_url_is_taken(url: str) -> None:
    assert tokens_of(Settings(tokens_jwks_url=url, **URLS)) is not None


@pytest.mark.parametrize("given", [{}, {"tokens_issuer": ISSUER}, {"tokens_audience": AUDIENCE}])
def test_published_keys_need_an_issuer_and_an_audience(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs tokens_issuer and tokens_audience"):
        Settings(tokens_jwks_url="https://login.example/jwks", **given)


def test_a_short_secret_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYHEAD_TOKENS_SECRET", SECRET[:31])
    with pytest.raises(SettingsError, match="fewer than 32 bytes") as refused:
        load()
    assert SECRET[:31] not in str(refused.value)
    monkeypatch.setenv("PLAYHEAD_TOKENS_SECRET", SECRET)
    assert SECRET not in repr(load())


@pytest.mark.parametrize(
    "name", ["tokens_secret", "tokens_jwks_url", "api_key", "keys", "redis_url", "database_url"]
)
def test_no_secret_is_logged_with_the_settings(name: str) -> None:
    assert name in Settings.model_fields
    assert (_starred(name, "secret"), _starred(name, None)) == ("***", None)


@pytest.mark.parametrize("secret", [PUBLIC_PEM, orjson.dumps(rs256().jwk())])
def test_a_public_key_is_no_secret(secret: bytes) -> None:
    settings = Settings(tokens_secret=secret.decode())
    with pytest.raises(SettingsError, match="PLAYHEAD_TOKENS_SECRET is a public key") as refused:
        refuse_open_door(settings)
    assert secret.decode() not in str(refused.value)


def test_with_tokens_playhead_may_listen_anywhere() -> None:
    refuse_open_door(Settings(host="0.0.0.0", tokens_secret=SECRET))
