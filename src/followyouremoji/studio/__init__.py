"""The studio: a page in which anybody animates a portrait. Needs the extra `web`.

`store` keeps what visitors give and get, `jobs` shares one model between them, `studio` joins both with the model,
`routes` and `security` are what a browser may ask for, and `page` is what it shows, a tab a file.
"""
