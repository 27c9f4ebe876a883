"""Quality of animations, measured on drawn portraits, whose truth is known: suites, metrics, methods, tables."""
