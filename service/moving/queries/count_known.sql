-- How many courses and lessons of users are known by their old ids, how many assignments there are, and the first
-- millisecond of what is committed and not followed yet; NULL where there is none.
SELECT
    (SELECT count(*) FROM user_courses) AS user_courses,
    (SELECT count(*) FROM user_lessons) AS user_lessons,
    (SELECT count(*) FROM assignments WHERE unassigned_at IS NULL) AS assignments,
    (
        SELECT min(f.entry_ms)
        FROM followed AS f
        JOIN checkpoints AS c ON c.partition = f.partition
        WHERE (f.entry_ms, f.entry_seq) < (c.entry_ms, c.entry_seq)
    ) AS behind_ms
