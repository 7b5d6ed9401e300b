"""What must always hold (V1 to V13), looked for on a live system, and mended where nothing is lost by it."""
