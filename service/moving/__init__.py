"""Moving in: teams that keep a row for every few seconds of playing, behind GraphQL, come over step by step.

Their names for things (`ids`) and the shapes that their clients read (`model`) are kept. `docs/moving.md` is the way.
"""
