"""The HTTP edge: the only place that knows of statuses, headers and JSON documents."""
