"""Courses: what is to be watched, by whom, until when, and how far each attempt at it has come.

1. `model` has the words: courses and lessons, teams, assignments and their attempts.
2. The policies say what is true of them, without any I/O and without a clock: `completion`, `seeking`, `credit`,
   `dates`, `revising` (what putting a course again does to its lessons), `assigning` (what an assignment does to the
   one that is there).
3. `store` holds them in Postgres, through `catalogue`, `teams`, `assignments`, `attempts` and `noting`; their SQL is
   in `queries`.
4. `levelling` says which scopes of the counters are an attempt's (`ranges`), `following` turns raw events into what
   each session saw (`viewing`, `parallel`), `watched` reads what attempts have now, and `why` where it comes from;
   `watching` has them together.
5. `sessions` and `seeks` keep who opened which lesson and sought past the limit, `playbacks` reads what sessions
   played, and `timing` says when that was.
6. `credits` gives what was watched before (`crediting`) and takes it back (`withdrawing`); `reports` tells managers how
   far everybody has come, by attempt (`measuring`) or added up (`summing`), as `reporting` has the words for it.

Nothing here counts: cells that were seen come in as they were counted, and times as arguments.
"""
