-- Who answers reads in the old shapes, and since when.
SELECT reads, switched_at FROM moving
