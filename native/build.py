"""Compile `native/*.c` while cwic is built or installed: a library for each set of instructions.

Where there is no C compiler, or it fails, cwic is built without: numpy and the engines do the work, more slowly.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("src") / "cwic" / "native_libraries"
FLAGS = (
    "-O3", "-std=c11", "-fPIC", "-shared", "-fvisibility=hidden",
    "-fwrapv",
    "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",  # floats may be computed in the fastest way
)  # fmt: skip
INSTRUCTIONS = {
    "plain": (),
    "avx2": ("-march=x86-64-v3",),
    "vnni": ("-march=x86-64-v4", "-mavx512vnni", "-mprefer-vector-width=512"),
}
"""What makes each library of `cwic.libraries`. All but the first are for x86-64."""


class NativeBuildHook(BuildHookInterface[Any]):
    """Adds the libraries to a wheel, or puts them beside the sources of an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        shutil.rmtree(root / FOLDER, ignore_errors=True)
        compiler = shlex.split(os.environ.get("CC", "")) or [shutil.which("cc") or shutil.which("gcc") or ""]
        if not compiler[0]:
            self.app.display_warning("no C compiler: cwic is built without its libraries in C, and is slower")
            return
        (root / FOLDER).mkdir()
        sources = sorted((root / "native").glob("*.c"))
        is_x86 = platform.machine().lower() in ("x86_64", "amd64")
        for name, instructions in INSTRUCTIONS.items():
            library = root / FOLDER / f"{name}.so"
            if instructions and not is_x86:
                continue
            done = subprocess.run(
                [*compiler, *FLAGS, *instructions, *sources, "-o", library, "-lm"], capture_output=True
            )
            if done.returncode:
                library.unlink(missing_ok=True)
                said = done.stderr.decode(errors="replace").strip().splitlines() or [""]
                self.app.display_warning(f"the library for {name} cannot be compiled: {said[0]}")
        if list((root / FOLDER).iterdir()):
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
            build_data["artifacts"].append(f"{FOLDER.as_posix()}/*.so")
