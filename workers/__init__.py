"""What runs beside the HTTP processes: the flusher, the upkeep of the day partitions, the supervisor of them all."""
