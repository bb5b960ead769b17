"""The counters in Redis: their names, their records, the scripts, the one writer and the reader."""
