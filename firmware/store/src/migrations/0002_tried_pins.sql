-- The attempts that a SIM had left when its PIN was last entered without an answer; null once it was proved right.
ALTER TABLE pins ADD COLUMN attempts_when_tried INTEGER;
