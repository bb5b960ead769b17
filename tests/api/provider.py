"""An identity provider: keys, tokens that are signed with them, and a server that publishes them."""

from __future__ import annotations

import asyncio
import time
from base64 import urlsafe_b64encode
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from ssl import Purpose, SSLContext, create_default_context
from typing import TYPE_CHECKING, Any

import jwt
import orjson
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.api.client import Document

ISSUER = "https://login.example/"
AUDIENCE = "playhead"
ELSEWHERE = "/elsewhere.json"
"""Where it is well, whatever its status is."""

SECRET = "0123456789abcdef0123456789abcdef"


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """As many as are asked for by number; each takes a while to find."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(number: int = 0, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


@dataclass(frozen=True, slots=True)
class Signer:
    """A key by its name, with what is signed with it."""

    kid: str | None
    algorithm: str
    key: Any

    def token(self, header: Document | None = None, /, **claims: object) -> str:
        """Ann's, good for two hours, but for these claims; None leaves one out."""
        said = valid_claims() | claims
        whole = {name: value for name, value in said.items() if value is not None}
        names = {"kid": self.kid} if self.kid is not None else {}
        return jwt.encode(whole, self.key, self.algorithm, headers=names | (header or {}))

    def jwk(self, **changed: object) -> Document:
        """Its public half; None leaves a member out."""
        kind = RSAAlgorithm if isinstance(self.key, rsa.RSAPrivateKey) else ECAlgorithm
        numbers = kind.to_jwk(self.key.public_key(), as_dict=True)
        whole = numbers | {"kid": self.kid, "use": "sig", "alg": self.algorithm} | changed
        return {name: value for name, value in whole.items() if value is not None}


def rs256(kid: str | None = "rsa", number: int = 0) -> Signer:
    return Signer(kid, "RS256", rsa_key(number))


def es256(kid: str | None = "ec", number: int = 0) -> Signer:
    return Signer(kid, "ES256", ec_key(number))


HS256 = Signer(None, "HS256", SECRET)


def valid_claims() -> Document:
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": int(time.time()) + 7200}


def spelled(part: object) -> str:
    """A part of a token, as it is spelled in it."""
    content = part if isinstance(part, bytes) else orjson.dumps(part)
    return urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass(slots=True)
class Provider:
    """What it answers may be changed at any time."""

    signers: list[Signer] = field(default_factory=lambda: [rs256(), es256()])
    status: int = 200
    document: bytes | None = None
    """In place of what the signers have."""
    is_slow: bool = False
    fetches: int = 0
    port: int = 0
    scheme: str = "http"
    _end: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/jwks.json?tenant=1"

    def settings(self, **others: Any) -> Settings:
        trusted: dict[str, Any] = {
            "tokens_jwks_url": self.url,
            "tokens_issuer": ISSUER,
            "tokens_audience": AUDIENCE,
        }
        return Settings(**trusted, shutdown_seconds=1, **others)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.fetches += 1
        if self.is_slow:
            await self._end.wait()
        document = self.document or orjson.dumps({"keys": [signer.jwk() for signer in self.signers]})
        status = 200 if request.path == ELSEWHERE else self.status
        return web.Response(body=document, status=status, headers={"Location": ELSEWHERE})

    def end(self) -> None:
        self._end.set()


def self_signed(folder: Path) -> SSLContext:
    """Of a server on this machine that nobody has a reason to trust."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    key, now = ec_key(), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = create_default_context(Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    return context


@asynccontextmanager
async def publishing(tls: SSLContext | None = None) -> AsyncIterator[Provider]:
    provider = Provider(scheme="https" if tls else "http")
    app = web.Application()
    app.router.add_get("/{path:.*}", provider.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        provider.port = runner.addresses[0][1]
        yield provider
    finally:
        provider.end()
        await runner.cleanup()
