"""`python -m followyouremoji`: the command `fye`, as launchers of several processes start it."""

from followyouremoji.apps.cli import main

if __name__ == "__main__":
    main()
