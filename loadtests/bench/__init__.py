"""The benchmark: playhead beside what it is compared with, on this machine, in one run, in turns.

1. `audience` makes the events that viewers send; each system gets the same story.
2. `systems` starts playhead and its comparators, and writes an event as a request of each.
3. `generator` is a process of its own that posts requests, closed or open loop, and tells latencies.
4. `turns` lets systems take short turns, A B A B, and measures each: `processor` has the CPU seconds by role.
5. `scenarios` are the rows of the table; `books` holds acknowledged, counted and stored against each other.
6. `report` prints, writes JSON, and puts table and plots (`plots`) into `docs/performance.md`.
"""
