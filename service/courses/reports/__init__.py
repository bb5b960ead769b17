"""How far everybody has come, for managers: by attempt, course, lesson, team and user."""
