"""A Valkey to do harm to."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from service.embedded import EmbeddedValkey

if TYPE_CHECKING:
    from service.embedded import DataFolder

END_SECONDS = 10.0


class OwnValkey:
    """Runs from construction on. The same data comes back when it is started again."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self.start()

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        self._server = EmbeddedValkey(self._folder).start()

    def kill(self) -> None:
        """At once, without a chance to say or write anything."""
        assert self._server.process
        self._signal(signal.SIGKILL)
        self._server.process.wait_for_end(END_SECONDS)

    def freeze(self) -> None:
        """It keeps its connections, and takes what is sent, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        if self._server.poll() is None:
            self.thaw()
        self._server.stop()

    def _signal(self, number: signal.Signals) -> None:
        assert self._server.process
        os.kill(self._server.process.pid, number)
