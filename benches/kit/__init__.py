"""What the rows share."""
