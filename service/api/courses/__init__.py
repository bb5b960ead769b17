"""The edge of courses: `calls` lists what there is, `bodies` and `schemas` have the shapes of what comes and goes."""
