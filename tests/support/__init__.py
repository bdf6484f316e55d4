"""What the tests share: guard pages, generators, error bounds, exact arithmetic, problems."""
