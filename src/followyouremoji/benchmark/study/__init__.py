"""The user study, as in the paper (Follow-Your-Emoji, Sec. 4.3 (c)): people rank the systems' results, blind and in
random order, for expression, identity and overall quality.

    material.py   what is shown: the pairs that every system made, under random names
    answers.py    visits, questions and rankings, in SQLite
    server.py     the page and its requests
    page.html     the page, which asks for nothing from elsewhere
    figures.py    average ranks, intervals and agreement

Ties are not allowed: a visitor who cannot decide is asked for a first impression. So every ranking is a permutation,
and average ranks can be read as the paper's.
"""
