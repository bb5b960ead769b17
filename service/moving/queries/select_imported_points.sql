-- $1: id of a user's lesson. By what those of its points are known that an import counted.
SELECT known
FROM imported_lessons
WHERE user_lesson = $1
