"""Background work: RQ jobs, the dispatcher and the periodic sweep. Thin, ids only."""
