-- $1: lesson. Its videos, the first one first.
SELECT revision, slug, duration_ms, made_at FROM lesson_revisions WHERE lesson = $1 ORDER BY revision
