"""Courses: what is to be watched, by whom, until when, and how far each attempt at it has come.

`model` has the words; `cells`, `completion`, `dates` and `zones` what follows from them. `store` holds all of it in
Postgres, through `database`, `rows`, `tables` and the SQL in `queries`. The rest is by subject, each a package:

1. `catalogue`: courses, lessons and teams; `revising` says what putting a course again does to its lessons.
2. `assigning`: `assignments` and their `attempts`, with the steps that both take (`opening`) and what was counted for
   attempts (`noting`); the module of the same name says what an assignment does to the one that is there.
3. `watching`: `levelling` says which scopes of the counters are an attempt's (`ranges`), `following` turns raw events
   into what each session saw (`viewing`, `parallel`), `viewed` has that of attempts, `watched` reads what they have
   now, and `why` where it comes from.
4. `playing`: `sessions` and `seeks` keep who opened which lesson and sought past the limit (`seeking`), `playbacks`
   reads what sessions played, and `timing` says when that was.
5. `credits` gives what was watched before (`crediting`, by the policy in `credit`) and takes it back (`withdrawing`).
6. `reports` tells managers how far everybody has come, by attempt (`measuring`) or added up (`summing`), as `reporting`
   has the words for it.

Policies have no I/O and no clock: `completion`, `dates`, `revising`, `assigning`, `ranges`, `viewing`, `parallel`,
`seeking`, `timing`, `credit`, `reporting`. Nothing here counts: cells that were seen come in as they were counted, and
times as arguments.
"""
