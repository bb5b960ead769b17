"""The page for people: whole, from this server alone, and as quick as a browser's cache allows."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from service.api.docs import ASSETS, LASTING

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from tests.api.client import Api

OWN = ("docs.html", "docs.js", "docs.css")
WEB = files("service.web")
LOADED = re.compile(r"""(?:src|href)="([^"]+)\"""")


async def fetch(api: Api, path: str, **headers: str) -> ClientResponse:
    """One answer, not followed to where it points; its body is read."""
    url = f"http://127.0.0.1:{api.port}{path}"
    async with api.session.get(url, allow_redirects=False, headers=headers) as answer:
        await answer.read()
        return answer


async def test_the_bare_address_leads_people_to_the_page(api: Api) -> None:
    answer = await fetch(api, "/", Accept="text/html")
    assert (answer.status, answer.headers["Location"]) == (302, "/docs")


async def test_the_bare_address_still_takes_events(api: Api) -> None:
    assert (await api.call("POST", "/", b'{"user": "ann", "slug": "dune", "at": 4500}')).json["accepted"] == 1
    assert (await api.call("PUT", "/")).headers["Allow"] == "GET, HEAD, POST"


async def test_all_that_the_page_loads_is_served(api: Api) -> None:
    page = await api.get("/docs")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    paths = LOADED.findall(page.body.decode())
    assert {path.partition("?")[0] for path in paths} - {"/openapi.json"} == {
        f"/docs/{name}" for name in ASSETS
    }
    for path in paths:
        assert (await api.get(path)).status == 200


@pytest.mark.parametrize("name", OWN)
def test_nothing_of_the_page_names_another_server(name: str) -> None:
    text = (WEB / name).read_text().replace("http://127.0.0.1:8000", "")
    assert not re.search(r"(?:https?:)?//\w", text.replace("// ", ""))


def test_the_vendored_stylesheet_loads_nothing() -> None:
    styles = (WEB / "swagger-ui/swagger-ui.css").read_text()
    assert "@import" not in styles
    assert all(target.startswith("data:") for target in re.findall(r"url\(\"?([^\"),]+)", styles))


async def test_the_browser_is_told_to_refuse_every_other_server(api: Api) -> None:
    policy = (await api.get("/docs")).headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    sources = {source for allowed in rules.values() for source in allowed.split()}
    assert sources == {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self'"


def test_the_description_is_sent_to_no_validator() -> None:
    assert "validatorUrl: null" in (WEB / "docs.js").read_text()


async def test_what_has_its_version_in_its_address_is_kept_and_the_rest_is_asked_for_again(api: Api) -> None:
    for name, (_, kept) in ASSETS.items():
        answer = await fetch(api, f"/docs/{name}")
        assert answer.headers["Cache-Control"] == kept
        again = await fetch(api, f"/docs/{name}", **{"If-None-Match": answer.headers["ETag"]})
        assert again.status == 304


def test_the_version_in_the_address_is_the_vendored_one() -> None:
    page, bundle = (WEB / "docs.html").read_text(), (WEB / "swagger-ui/swagger-ui-bundle.js").read_text()
    versions = set(re.findall(r"/docs/swagger-ui/[\w.-]+\?([\d.]+)", page))
    lasting = [name for name, (_, kept) in ASSETS.items() if kept == LASTING]
    assert page.count("/docs/swagger-ui/") == len(lasting)
    (version,) = versions
    assert f'"{version}"' in bundle


def test_the_licences_come_with_what_is_vendored() -> None:
    vendored = WEB / "swagger-ui"
    assert "Apache License" in (vendored / "LICENSE").read_text()
    assert "SmartBear" in (vendored / "NOTICE").read_text()
    assert "MIT" in (vendored / "swagger-ui-bundle.js.LICENSE.txt").read_text()


@pytest.mark.parametrize(
    "path", ["/docs/docs.html", "/docs/%2e%2e/routes.py", "/docs/events.md", "/docs/swagger-ui/"]
)
async def test_nothing_else_of_the_folder_is_served(api: Api, path: str) -> None:
    answer = await api.get(path)
    assert answer.status == 404
    assert answer.is_problem


async def test_the_commands_for_newcomers_work_as_they_stand(api: Api) -> None:
    """The first one, at least, is what curl would send; the reads that follow it find what it counted."""
    introduction = (await api.get("/openapi.json")).json["info"]["description"]
    sent = re.search(r"curl http://127\.0\.0\.1:8000(\S+) -d '(.+)'", introduction)
    assert sent is not None
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await api.send(sent[2].encode(), form, path=sent[1])
    assert answer.json["accepted"] == 1
    reads = re.findall(r"^curl http://127\.0\.0\.1:8000(\S+)$", introduction, re.MULTILINE)
    assert len(reads) == 4
    for path in reads:
        assert (await api.get(path)).status == 200


def test_the_address_in_the_commands_is_the_one_that_the_page_replaces() -> None:
    (written_for,) = re.findall(r'WRITTEN_FOR = "(.+)"', (WEB / "docs.js").read_text())
    addresses = set(re.findall(r"http://[\w.:]+", (WEB / "introduction.md").read_text()))
    assert addresses == {written_for}
