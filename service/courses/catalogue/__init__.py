"""Courses with their lessons, and teams: what there is to be assigned, and to whom."""
