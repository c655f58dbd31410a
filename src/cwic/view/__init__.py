"""`cwic view`: a local page that decodes files in the browser, and shows them beside originals and other formats."""

from __future__ import annotations
