"""`/graphql`: the same as REST, and reads and writes in the shapes of the system that is moved from.

1. `calls` describes the calls; `endpoint` answers them. Strawberry is loaded with the first of them, nowhere else.
2. `requests` says what a request asks for; `documents` parses it, once, and refuses what is too deep or too much.
3. `context` is what resolvers have of a request: who asks, and what is read for many at once (`loading`).
4. `schema` puts the types together: those of the old system (`old_types`), and playhead's own, which are derived from
   the models that describe REST's answers and bodies (`derived`), so that the two cannot drift apart.
5. `live` looks for changes once a second, for all subscribers of the process; `socket` is one client's connection.
6. `failures` says what went wrong, with REST's reasons.
"""
