"""`python -m followyouremoji`: the command `fye`, as launchers of several processes start it."""

from followyouremoji.apps.main import main

if __name__ == "__main__":
    main()
