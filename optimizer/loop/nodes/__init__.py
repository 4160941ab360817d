"""The steps of the loop, one file each: `(state, runtime) -> what changes`. Every one may run twice with one effect."""
