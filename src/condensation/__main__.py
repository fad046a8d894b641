"""``python -m condensation``: the command line."""

from condensation.cli import main

if __name__ == "__main__":
    main()
