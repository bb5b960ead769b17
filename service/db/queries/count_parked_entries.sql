SELECT count(*) FROM parked_entries
