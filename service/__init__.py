"""Playhead: real-time counters for watch events. This docstring is the map: the way of one event.

1. `service.api.ingest` takes a request's bytes off the socket and asks `service.events.decode` what they say;
   `service.api.stream` does so with the messages of a WebSocket, and `service.api.shortcut` with small requests, past
   most of aiohttp (`service.api.server`).
2. `service.events` turns bytes into events and rejections, without any I/O; `service.events.xapi` is another dialect.
   Every bound on what may come in is in `service.limits`.
3. `service.counters.writer` collects the events of all requests that wait at the same moment into runs, one a
   partition (`service.counters.partitions`, `service.counters.keys`), packed by `service.counters.packing`. Those for
   one server (`service.counters.lanes`) share a call, which `service.counters.calls` makes, and repeats under its
   token if the answer is lost; `service.counters.cluster` is the client of a Redis Cluster. `service.stored.writer`
   starts a writer.
4. `lua/` applies a run to all of its counters and appends it to the partition's stream, in one atomic step.
   `service.rules.model` is the specification of what it does, in plain Python.
5. The request is answered when that step is on disk, and on `PLAYHEAD_REPLICAS_MIN` replicas.
6. `workers.flusher` reads the streams and commits rows, snapshots and checkpoints to Postgres through
   `service.db.ledger`, in one transaction; then it trims the streams. `workers.leases` says which partitions are its,
   `workers.parking` puts aside what cannot be stored.
7. `service.counters.reader` answers reads from Redis; users who left it (`workers.eviction`) are read from Postgres,
   and brought back before their next event, by `service.stored`.
8. `workers.recovery` brings a Redis that lost events level with Postgres before it takes new ones; `workers.audit`
   holds live counters against the raw events.

`service.courses` is beside that way: who is to watch what, and by which rules watching is judged. Attempts own scopes
of the counters (`service.stored.scopes`). `service.api.courses` is its edge; `workers.renewals` opens attempts by rule,
`workers.levelling` and `workers.following` keep them level with what is counted. `service.api.video` is the edge of
players: what they report becomes events (`service.api.video.playing`), and `workers.stale` closes who falls silent.

`service.moving` is how one gets here from another system. `service.moving.store` stands in front of that and has points
written to both, `service.moving.reading` shows courses in its shapes, `service.moving.importing` brings its rows along,
`service.moving.comparing` holds both against each other, and `service.moving.stage` says who answers reads.

`service.access` decides who may do what, and where playhead may listen without asking; `service.api.guard` asks,
and `service.api.persons` for what a token lets its user do.
`service.settings` alone reads the environment, `service.clock` alone reads the clock, `service.errors` draws the tree
of what can fail. `service.cli` and `workers.supervisor` put the pieces together; `service.embedded` runs Valkey and
Postgres where none is given.
"""
