"""The borders between the rooms, read from the source, so that a shortcut across one fails here by name."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "cwic"
FILES = sorted(PACKAGE.rglob("*.py"))
EVERY_FILE = sorted(ROOT.glob("[a-z]*/**/*.py"))
GROUND = ("errors", "arguments", "records", "extras", "config", "threads", "libraries", "progress", "stages")
CODEC = (
    "container",
    "entropy",
    "image",
    "networks",
    "latents",
    "models",
    "tiling",
    "targets",
    "codec",
    "bits",
    "info",
    "thumbnail",
    "plugin",
)
"""The rooms of the codec: each may use those before it."""
LABORATORY = {"lab", "nn", "training"}
MAX_LINES = 400

# Without a test file of the same name: no code of their own, or all of it tested elsewhere.
UNMIRRORED = {
    "__init__.py",
    "__main__.py",  # by tests/cli/test_main.py
    "CwicImagePlugin.py",  # by tests/test_plugin.py
    "models/base.py",  # by the tests of the models
}


def _name(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def _room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def _imports(file: Path) -> frozenset[str]:
    """Dotted names of all that a file imports, at any depth; what it imports for type checkers alone is left out."""

    def visit(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(file)} imports relatively"
            # `from cwic import cli` imports a room too; a name that is no module does no harm here.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    return frozenset(visit(ast.parse(file.read_text("utf-8"))))


def _tops(file: Path) -> set[str]:
    return {name.split(".")[0] for name in _imports(file)}


def _rooms_used(file: Path) -> set[str]:
    return {name.split(".")[1] for name in _imports(file) if name.startswith("cwic.")}


def test_each_room_of_the_codec_uses_those_before_it() -> None:
    order = [*GROUND, *CODEC]
    known = {_room(file) for file in FILES}
    assert set(order) <= known
    wrong = {}
    for file in FILES:
        if (room := _room(file)) in order:
            allowed = {*order[: order.index(room)], room, "decode", "encode", "__version__"}
            if room == "plugin":
                allowed |= {"codec"}
            if beyond := _rooms_used(file) - allowed:
                wrong[_name(file)] = beyond
    assert wrong == {}


def test_every_room_has_its_place() -> None:
    places = {
        *GROUND,
        *CODEC,
        *LABORATORY,
        "batch",
        "evaluation",
        "view",
        "cli",
        "__init__",
        "__main__",
        "CwicImagePlugin",
    }
    assert {_room(file) for file in FILES} == places


def test_torch_is_in_the_laboratory_alone() -> None:
    packages = {"torch", "lightning", "pytorch_msssim", "pytorch_optimizer", "torchvision"}
    found = {_name(file): _tops(file) & packages for file in FILES if _tops(file) & packages}
    assert found
    assert {name for name in found if name.split("/")[0] not in LABORATORY} == set()


def test_the_command_line_alone_opens_the_laboratory() -> None:
    users = {_name(file) for file in FILES if _rooms_used(file) & LABORATORY and _room(file) not in LABORATORY}
    assert users
    assert {name for name in users if not name.startswith("cli/")} == set()


def test_no_circle() -> None:
    """Of modules that import one another when they are loaded or used."""
    modules = {"cwic." + _name(file).removesuffix(".py").replace("/", "."): file for file in FILES}
    graph = {}
    for module, file in modules.items():
        used = {name for name in _imports(file) if name.startswith("cwic.")}
        graph[module] = {m for m in modules for name in used if name == m or name.rpartition(".")[0] == m} - {module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_only_the_coder_imports_constriction() -> None:
    assert {_name(file) for file in FILES if "constriction" in _tops(file)} == {"entropy/coder.py"}


def test_only_the_engines_import_an_engine() -> None:
    users = {_name(file) for file in FILES if _tops(file) & {"onnxruntime", "openvino"}}
    assert users == {"networks/engine.py", "networks/product.py"}


def test_container_imports_the_standard_library_only() -> None:
    for file in FILES:
        if _room(file) == "container":
            assert _tops(file) <= sys.stdlib_module_names | {"cwic"}, _name(file)
            assert _rooms_used(file) <= {"container", "errors", "arguments"}, _name(file)


def _run(script: str, *arguments: object) -> str:
    """What a fresh interpreter prints, in which torch and all that needs it cannot be imported."""
    blocked = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {{"torch", "lightning", "pytorch_msssim", "pytorch_optimizer", "webdataset"}}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
{script}
"""
    paths = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", blocked, *map(str, arguments)]
    answer = subprocess.run(command, env=paths, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


@pytest.mark.parametrize("module", ["cwic", "cwic.cli", "cwic.info", "cwic.container", "cwic.models.catalog"])
def test_import_stays_free_of_numpy(module: str) -> None:
    assert _run(f"import {module}; print([name for name in ('torch', 'numpy') if name in sys.modules])") == "[]"


def test_processes_for_files_import_no_command_line() -> None:
    modules = "cwic.cli.pool, cwic.cli.encoding, cwic.cli.decoding"
    script = f"import {modules}; print([name for name in ('typer', 'rich', 'numpy') if name in sys.modules])"
    assert _run(script) == "[]"


def test_the_codec_works_where_torch_is_not_installed(tmp_path: Path) -> None:
    script = """
import io
from pathlib import Path
from PIL import Image
import cwic, cwic.CwicImagePlugin
golden, folder = Path(sys.argv[1]), Path(sys.argv[2])
image = cwic.decode(golden.read_bytes()).crop((0, 0, 150, 100))
data = cwic.encode(image, target_psnr=30, tile=128)
assert len(cwic.encode(image, target_bytes=3000)) <= 3000
assert cwic.recover(data).lost == []
assert cwic.decode(data, crop=(3, 4, 50, 60)).size == (50, 60)
image.save(folder / "a.cwic", quality=30)
assert Image.open(folder / "a.cwic").convert("L").size == (150, 100)
print(cwic.read_info(data).model)
"""
    assert _run(script, ROOT / "tests" / "golden" / "cwic_s.cwic", tmp_path) == "cwic-s-eye"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["models", "list"], 0),
        (["models", "show", "cwic-s"], 0),
        (["models", "show", "cwam2024"], 1),
        (["models", "import", "x.pth", "-o", "x.safetensors"], 1),
        (["train", "recipe.toml", "--data", "."], 1),
        (["export", "recipe.toml", "x.ckpt", "-o", "x.safetensors", "--data", "."], 1),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_commands_of_the_laboratory_name_what_they_need(command: list[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"checkpoint")
    (tmp_path / "x.ckpt").write_bytes(b"checkpoint")
    (tmp_path / "recipe.toml").write_text("")
    script = """
import os
from cwic.cli import main
os.chdir(sys.argv[1])
sys.argv = ["cwic", *sys.argv[2:]]
sys.stderr = sys.stdout
try:
    main()
except SystemExit as stop:
    print(stop.code)
"""
    *said, found = _run(script, tmp_path, *command).splitlines()
    assert int(found) == code
    assert code == 0 or "torch is not installed: pip install cwic[train]" in said[-1]


def test_files_are_short() -> None:
    lines = {file.relative_to(ROOT).as_posix(): len(file.read_text("utf-8").splitlines()) for file in EVERY_FILE}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_files_have_their_mirrors() -> None:
    wanted = [file for file in FILES if _name(file) not in UNMIRRORED and file.name not in UNMIRRORED]
    mirrors = [ROOT / "tests" / file.relative_to(PACKAGE).with_name(f"test_{file.name}") for file in wanted]
    assert [mirror.relative_to(ROOT).as_posix() for mirror in mirrors if not mirror.is_file()] == []
