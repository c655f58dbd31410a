"""`cwic view`: a page on this machine that decodes files in the browser, beside their originals and other formats."""

from __future__ import annotations
