"""What was watched before an assignment: what it is worth, given, and taken back again."""
