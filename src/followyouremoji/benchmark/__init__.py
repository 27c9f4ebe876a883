"""How well portraits are animated, measured on drawn portraits, whose truth is known: suites, metrics, methods,
tables."""
