"""What trading scripts record of themselves, and the numbers that follow from it."""
