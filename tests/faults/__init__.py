"""Whether acknowledged events survive: real processes are killed, paused and cut off while clients write.

1. `writers` are the clients. They remember what was acknowledged, and send again what was not.
2. `victims` finds the processes of a running playhead, to kill or pause them; `proxy` stands between playhead and its
   servers, to cut or hold what they say to each other; `broken_flushing` is a flusher that does it wrong.
3. `faults` says what may go wrong, `storm` lets it go wrong at random moments, and measures how long it hurts.
4. `books` compares what was acknowledged with what is read over HTTP and with every row and snapshot in Postgres.

The tests are a short form of it. `make faults` is the long one; `docs/reliability.md` has its results.
"""
