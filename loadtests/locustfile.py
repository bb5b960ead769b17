"""Viewers and readers for Locust: `locust -f loadtests/locustfile.py`, against a playhead that runs already.

A black box: nothing here imports playhead. A viewer sends what a player sends, only more often. A reader asks
for what viewers have been acknowledged for, so a 404 is a failure.
"""

from __future__ import annotations

import os
import random
from collections import deque
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from locust import FastHttpUser, between, task

HEARTBEAT_SECONDS = 10
MOVIES = 50
MOVIE_SECONDS = 5400

KEY = os.environ.get("PLAYHEAD_API_KEY", "")
SHOWN = {"Authorization": f"Bearer {KEY}"} if KEY else {}
"""Where playhead asks for keys: one that may `ingest` and `read`."""

RUN = uuid4().hex[:8]
"""In the names of users: a second run against the same playhead has viewers of its own."""

SLUGS = [f"load-movie-{number:02}" for number in range(MOVIES)]
HEAT = [1 / (rank + 1) for rank in range(MOVIES)]

seen: deque[tuple[str, str]] = deque(maxlen=10_000)
"""Pairs of user and movie with an acknowledged event, the latest ones, for readers to ask about."""


class Viewer(FastHttpUser):
    """One person with one player, whose time runs about ten times as fast as ours: more load from fewer."""

    host = "http://127.0.0.1:8000"
    weight = 9
    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        self.user_name = f"load-{RUN}-{uuid4().hex[:12]}"
        self.open_movie()

    def open_movie(self) -> None:
        self.slug = random.choices(SLUGS, HEAT)[0]
        self.session = uuid4().hex
        self.seq, self.at, self.playing = 0, 0, False
        self.say("load", duration=MOVIE_SECONDS)

    @task(30)
    def keep_watching(self) -> None:
        if not self.playing:
            self.playing = self.say("play")
        elif self.at + HEARTBEAT_SECONDS >= MOVIE_SECONDS:
            self.at = MOVIE_SECONDS
            self.say("end")
            self.open_movie()
        else:
            self.at += HEARTBEAT_SECONDS
            self.say("heartbeat")

    @task(2)
    def pause(self) -> None:
        if self.playing:
            self.say("pause")
            self.playing = False

    @task(2)
    def seek(self) -> None:
        start, self.at = self.at, random.randrange(MOVIE_SECONDS)
        self.say("seek", **{"from": start})
        self.playing = True

    @task(1)
    def leave(self) -> None:
        self.pause()
        self.open_movie()

    @task(1)
    def catch_up(self) -> None:
        """What a player does that was offline: many events in one request."""
        events = []
        for _ in range(20):
            self.at = (self.at + HEARTBEAT_SECONDS) % MOVIE_SECONDS
            events.append(self.event("heartbeat"))
        self.post(events, "POST /v1/events [20]")

    def say(self, kind: str, **more: object) -> bool:
        return self.post(self.event(kind, **more), "POST /v1/events")

    def event(self, kind: str, **more: object) -> dict[str, Any]:
        self.seq += 1
        names = {"user": self.user_name, "slug": self.slug, "session": self.session, "seq": self.seq}
        return {**names, "kind": kind, "at": self.at, **more}

    def post(self, body: dict[str, Any] | list[dict[str, Any]], name: str) -> bool:
        """Post it, and hold the answer to its word: each event is accepted, since each is new and valid."""
        posted = len(body) if isinstance(body, list) else 1
        with self.client.post(
            "/v1/events", json=body, headers=SHOWN, name=name, catch_response=True
        ) as response:
            if response.status_code != HTTPStatus.OK:
                response.failure(f"status {response.status_code}: {(response.text or 'no answer')[:200]}")
                return False
            accepted = response.json()["accepted"]
            if accepted != posted:
                response.failure(f"{accepted} accepted of {posted}: {response.text[:200]}")
                return False
        seen.append((self.user_name, self.slug))
        return True


class Reader(FastHttpUser):
    """Asks for the numbers of viewers and movies that have some."""

    host = Viewer.host
    weight = 1
    wait_time = between(0.2, 1)

    @task(3)
    def movie(self) -> None:
        if seen:
            self.ask(f"/v1/movies/{random.choice(seen)[1]}", "GET /v1/movies/[slug]")

    @task(2)
    def user(self) -> None:
        if seen:
            self.ask(f"/v1/users/{random.choice(seen)[0]}", "GET /v1/users/[user]")

    @task(3)
    def pair(self) -> None:
        if seen:
            user, slug = random.choice(seen)
            self.ask(f"/v1/users/{user}/movies/{slug}", "GET /v1/users/[user]/movies/[slug]")

    @task(1)
    def continue_watching(self) -> None:
        if seen:
            self.ask(f"/v1/users/{random.choice(seen)[0]}/movies", "GET /v1/users/[user]/movies")

    def ask(self, path: str, name: str) -> None:
        self.client.get(path, headers=SHOWN, name=name)
