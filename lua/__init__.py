"""The Lua that counts, as one function library; `service.counters.scripts` puts it together and loads it."""
