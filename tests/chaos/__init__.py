"""Traffic both ways while faults strike, and the proof that nothing was lost and nothing came twice (`make chaos`)."""
