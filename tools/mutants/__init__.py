"""Small faults planted in the package, to see whether a test notices each."""
