-- $1: credit, $2: now, $3: by whom or NULL, $4: the completion that is withdrawn with it, or NULL.
UPDATE credits SET taken_back_at = $2, taken_back_by = $3, withdrawn_at = $4 WHERE credit = $1
