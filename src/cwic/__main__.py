"""`python -m cwic`: the command line."""

from __future__ import annotations

from cwic.cli import main

if __name__ == "__main__":
    main()
