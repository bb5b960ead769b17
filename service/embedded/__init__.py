"""Real Valkey and real Postgres where none is given: children in the foreground, one folder, no port taken.

1. `folder.DataFolder` makes the data folder, or says in one sentence why it can't be used, and locks it.
2. `identity` decides who owns the files and as whom each server runs: Postgres refuses root.
3. `runtime` names the sockets, so that other commands find the servers of a data folder.
4. `valkey.EmbeddedValkey` and `postgres.EmbeddedPostgres` start a server and wait until it answers.
5. `process.ServerProcess` is one such child; `child` is what runs in it between fork and exec; `lock` tells
   whether an earlier one is still there, `log` what it said.

Start servers from the main thread: on Linux a child is told when the thread that started it ends.
"""

from service.embedded.folder import DataFolder
from service.embedded.postgres import EmbeddedPostgres
from service.embedded.runtime import embedded_database_url, embedded_redis_url
from service.embedded.valkey import EmbeddedValkey

__all__ = [
    "DataFolder",
    "EmbeddedPostgres",
    "EmbeddedValkey",
    "embedded_database_url",
    "embedded_redis_url",
]
