-- A commit is answered when it is on disk, even where the server is set not to wait for that.
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'
