"""The edge of courses: `calls` lists what there is, `bodies` and `schemas` have the shapes of what comes and goes.

Reports are asked for as `asking` reads it, and told as `report_shapes` and `report_lines` (CSV) write it.
"""
