"""`python -m holdpoint.cli`: the `holdpoint` command, for where its script is not on the path."""

from holdpoint.cli.main import main

if __name__ == "__main__":
    main()
