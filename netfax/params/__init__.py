"""System parameters (R8.3): typed, bounded, explained, effective at once."""
