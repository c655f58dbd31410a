"""Check that no page of a built site fetches anything from a network: `python tools/check_site.py build/site`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

FETCHED = re.compile(r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)""")
IMPORTED = re.compile(r"""@import\s+(?:url\()?["']?((?:https?:)?//[^"')]+)|url\(["']?((?:https?:)?//[^"')]+)""")


def fetched(site: Path) -> list[str]:
    """What pages and style sheets of a site fetch from elsewhere, as `FILE: ADDRESS`."""
    found = []
    for file in sorted(site.rglob("*")):
        pattern = {".html": FETCHED, ".css": IMPORTED}.get(file.suffix)
        if pattern:
            text = file.read_text("utf-8")
            found += [f"{file.relative_to(site)}: {match[1] or match[2]}" for match in pattern.finditer(text)]
    return found


def main() -> int:
    """Print what is fetched. Returns an exit code."""
    site = Path(sys.argv[1])
    if not (site / "index.html").is_file():
        print(f"{site} is no built site", file=sys.stderr)
        return 2
    found = fetched(site)
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
