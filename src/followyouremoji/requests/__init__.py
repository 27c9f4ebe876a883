"""What every front end does around an animation: a request as data, events while it runs, an outcome.

Prints nothing and keeps nothing between calls. The command line is one front of it.
"""
