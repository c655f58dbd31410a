"""The page in a real browser: it decodes what Python decodes, and answers what is done to it."""

from __future__ import annotations

import base64
import io
import json
import os
import runpy
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.container import read_container
from cwic.image.metadata import upright
from cwic.view.server import ViewServer
from cwic.view.site import write_site

GOLDEN = Path(__file__).parents[1] / "golden"
MACHINES = GOLDEN.parents[1] / "benchmarks" / "machines.py"
PHOTOGRAPH = GOLDEN.parents[1] / "examples" / "chelsea.png"
NAMES = ["cwic_s", "cwic_s_2", "cwic_s_tiled", "cwic_m", "cwic_m_2", "cwic_s_ms_ssim_2"]
PATIENCE = 120_000
"""Milliseconds: on a busy machine the first picture waits long for its networks."""

LATENTS = """async (text) => {
  const { Model, Tiles, open } = await import('./decoder.js');
  const bytes = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
  const container = open(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
  const { header } = container;
  const module = await WebAssembly.compile(await bytes('cwic.wasm'));
  const model = new Model(await bytes(`models/${header.modelId}.safetensors`), { module });
  const tiles = new Tiles(header);
  const parts = [];
  for (let k = 0; k < tiles.count; k++) {
    const { type, payload } = container.tile(k);
    if (type !== 'T') continue;
    const { top, left, bottom, right } = tiles.box(k);
    const y_hat = model.exact.readTile(payload, (bottom - top) / 16, (right - left) / 16, header.level, k);
    parts.push(BigInt64Array.from(y_hat, BigInt));
  }
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}"""
PIXELS = """async ([text, crop]) => {
  const { decodeBlocks } = await import('./cwic.js');
  let size, pixels;
  await decodeBlocks(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), {
    crop,
    onOpen: (opened) => { size = opened; pixels = new Uint8Array(4 * size.width * size.height); },
    onBlock: ({ left, top, width, height, rgba }) => {
      for (let row = 0; row < height; row++)
        pixels.set(rgba.subarray(4 * row * width, 4 * (row + 1) * width), 4 * ((top + row) * size.width + left));
    },
  });
  const url = await new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(new Blob([pixels]));
  });
  return [size.width, size.height, url.split(',')[1]];
}"""
SMALL = """async ([text, crop]) => {
  const { decodeBlocks } = await import('./cwic.js');
  const parts = [];
  let blocks = 0;
  await decodeBlocks(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), {
    crop,
    onPreview: (part) => parts.push({ ...part, rgba: [...part.rgba], blocks }),
    onBlock: () => blocks++,
  });
  return parts;
}"""
DROP = """([name, text]) => {
  const file = new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name);
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(file);
  const how = { dataTransfer, bubbles: true, cancelable: true };
  document.querySelector('main').dispatchEvent(new DragEvent('drop', how));
}"""
SAID = """() => [...document.querySelectorAll('cwic-image')].map((each) => {
  const message = each.shadowRoot.querySelector('p');
  return message.hidden ? '' : message.innerText;
})"""
FIRST_BYTES = """async () => {
  const answer = await fetch('ort-wasm-simd-threaded.wasm.gz');
  return [...new Uint8Array(await answer.arrayBuffer()).slice(0, 4)];
}"""
COLOUR = """([x, y]) => {
  const canvas = document.getElementById('view');
  return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data.slice(0, 3)];
}"""


@pytest.fixture(scope="module")
def page(browser: Any, server: ViewServer) -> Iterator[Any]:
    """The page of `cwic view`, its first picture decoded; nothing it asks for is elsewhere, and no error escapes."""
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    page.set_default_timeout(PATIENCE)
    asked: list[str] = []
    broken: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(server.url)
    _settle(page, "chelsea.png")
    yield page
    page.close()
    assert broken == []
    assert {url for url in asked if not url.startswith((server.url, "blob:", "data:"))} == set()


def _settle(page: Any, *texts: str) -> None:
    """Waits until the table says all of it, and nothing is in work."""
    page.wait_for_function(
        """(texts) => document.getElementById('busy').hidden
            && texts.every((text) => document.getElementById('facts').innerText.includes(text))""",
        arg=list(texts),
    )


def _coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _pixels(page: Any, data: bytes, crop: dict[str, int] | None = None) -> np.ndarray:
    width, height, text = page.evaluate(PIXELS, [_coded(data), crop])
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)


def _small(page: Any, data: bytes, crop: dict[str, int] | None = None) -> np.ndarray:
    """The small picture that the page shows before the first block, put together."""
    parts = page.evaluate(SMALL, [_coded(data), crop])
    assert {part["blocks"] for part in parts} == {0}
    left, top = (min(part[side] for part in parts) for side in ("left", "top"))
    assert -8 < min(left, top) <= max(left, top) <= 0
    width = max(part["left"] + part["width"] - left for part in parts) // 8
    height = max(part["top"] + part["height"] - top for part in parts) // 8
    pixels = np.zeros((height, width, 4), np.uint8)
    for part in parts:
        x, y, rows, columns = (part["left"] - left) // 8, (part["top"] - top) // 8, part["rows"], part["columns"]
        assert (part["height"], part["width"]) == (8 * rows, 8 * columns)
        pixels[y : y + rows, x : x + columns] = np.reshape(part["rgba"], (rows, columns, 4))
    return pixels


def _assert_alike(pixels: np.ndarray, image: Image.Image) -> None:
    expected = np.asarray(image.convert("RGBA"), np.int16)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(np.int16) - expected).max() <= 1


def test_the_runtime_arrives_inflated(page: Any) -> None:
    assert bytes(page.evaluate(FIRST_BYTES)) == b"\0asm"


def test_a_model_without_attention_needs_no_runtime(page: Any) -> None:
    assert "one thread" in page.inner_text("#facts")
    assert not [worker for worker in page.workers if "ort-wasm" in worker.url]


@pytest.mark.parametrize("name", NAMES)
def test_golden_files_have_the_same_latents(page: Any, name: str) -> None:
    recorded = json.loads((GOLDEN / f"{name}.json").read_text())["latents"]
    assert page.evaluate(LATENTS, _coded((GOLDEN / f"{name}.cwic").read_bytes())) == recorded


@pytest.mark.parametrize(
    ("model", "quality"), [("cwic-s", 0), ("cwic-s", 100), ("cwic-s-ms-ssim", 37.3), ("cwic-m", 99.9)]
)
def test_other_levels_have_the_same_latents(page: Any, model: str, quality: float) -> None:
    with Image.open(PHOTOGRAPH) as image:
        pixels = np.asarray(image.convert("RGB"))[60:200, 100:250].copy()
    pixels[40:90] = np.where(pixels[40:90] > 120, 255, 0)  # edges that symbols of a table's reach do not hold
    data = cwic.encode(pixels, quality=quality, model=model)
    expected = runpy.run_path(str(MACHINES))["latents_hash"](read_container(data))
    assert page.evaluate(LATENTS, _coded(data)) == expected


@pytest.mark.parametrize("name", NAMES)
def test_golden_files_have_the_same_pixels(page: Any, name: str) -> None:
    with Image.open(GOLDEN / f"{name}.png") as image:
        _assert_alike(_pixels(page, (GOLDEN / f"{name}.cwic").read_bytes()), image)


def test_a_part_of_a_picture(page: Any) -> None:
    data = (GOLDEN / "cwic_s_tiled.cwic").read_bytes()
    pixels = _pixels(page, data, {"left": 100, "top": 90, "width": 77, "height": 55})
    _assert_alike(pixels, cwic.decode(data, crop=(100, 90, 77, 55)))


@pytest.mark.parametrize("name", NAMES)
def test_a_small_picture_is_first(page: Any, name: str) -> None:
    data = (GOLDEN / f"{name}.cwic").read_bytes()
    _assert_alike(_small(page, data), cwic.decode(data, scale=8))


def test_a_small_picture_of_a_part(page: Any) -> None:
    data = (GOLDEN / "cwic_s_tiled.cwic").read_bytes()
    small = _small(page, data, {"left": 100, "top": 90, "width": 77, "height": 55})
    _assert_alike(small, cwic.decode(data, crop=(100, 90, 77, 55), scale=8))


@pytest.mark.parametrize(("orientation", "mode"), [(2, "L"), (5, "RGB"), (8, "LA"), (3, "RGBA")])
def test_pictures_stand_upright(page: Any, orientation: int, mode: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.linear_gradient("L").resize((150, 100)).rotate(30).convert(mode)
    image.info["exif"] = exif.tobytes()
    data = cwic.encode(image, quality=30, tile=128)
    _assert_alike(_pixels(page, data), upright(cwic.decode(data)))
    _assert_alike(_small(page, data), upright(cwic.decode(data, scale=8)))


def test_the_slider_moves(page: Any) -> None:
    box = page.locator("#view").bounding_box()
    middle, y = box["width"] / 2, 10
    assert page.evaluate(COLOUR, [middle, y]) == [255, 180, 84]
    page.mouse.move(box["x"] + middle, box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + y, steps=3)
    page.mouse.up()
    page.wait_for_timeout(100)
    assert page.evaluate(COLOUR, [200, y]) == [255, 180, 84]
    assert page.evaluate(COLOUR, [middle, y]) == [0, 0, 0]


def test_zoom_pan_flicker_and_difference(page: Any) -> None:
    page.locator("#view").hover()
    page.keyboard.press("1")
    page.keyboard.press("+")
    assert page.inner_text("#scale") == "200 %"
    page.keyboard.press("ArrowLeft")
    page.click("[data-way=difference]")
    page.wait_for_timeout(200)
    x, y = (page.locator("#view").bounding_box()[side] / 2 for side in ("width", "height"))
    assert page.get_attribute("[data-way=difference]", "aria-pressed") == "true"
    assert max(page.evaluate(COLOUR, [x + k, y])[0] for k in range(40)) % 8 == 0
    page.click("[data-way=flicker]")
    page.click("[data-way=split]")
    page.keyboard.press("0")


def test_another_quality_and_another_format(page: Any) -> None:
    page.select_option("#other", "jpeg")
    _settle(page, "JPEG", "quality 50", "quality ")
    page.evaluate(
        "() => { const q = document.getElementById('quality'); q.value = 20; q.dispatchEvent(new Event('change')); }"
    )
    _settle(page, "JPEG", "cwic-s-eye, quality 20")
    rows = [line.split("\t") for line in page.inner_text("#facts").splitlines()]
    ours, theirs = (int(row[1].replace(",", "")) for row in rows[1:3])
    assert theirs <= ours == len(cwic.encode(PHOTOGRAPH, quality=20))
    page.select_option("#other", "original")
    _settle(page, "Original")


def test_a_golden_file_is_shown_beside_its_picture(page: Any) -> None:
    page.select_option("#file", label="cwic_m.cwic")
    _settle(page, "cwic_m.cwic", "cwic-m-1, quality 60", "Original")
    if folder := os.environ.get("CWIC_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/view.png")


def test_a_model_with_attention_has_the_runtime_and_its_threads(page: Any) -> None:
    page.select_option("#file", label="cwic_m.cwic")
    _settle(page, "cwic_m.cwic", "cwic-m-1")
    threads = page.evaluate("() => crossOriginIsolated && Math.min(navigator.hardwareConcurrency, 8)")
    assert threads >= 1
    assert ("one thread" if threads == 1 else f"{threads} threads") in page.inner_text("#facts")
    # The worker is the first of them; ONNX Runtime starts the others.
    helpers = [worker for worker in page.workers if worker.url.endswith("ort-wasm-simd-threaded.mjs")]
    assert len(helpers) == threads - 1


@pytest.mark.parametrize("what", ["damaged", "cut", "other"])
def test_a_damaged_file_says_so(page: Any, what: str) -> None:
    data = bytearray((GOLDEN / "cwic_s.cwic").read_bytes())
    if what == "damaged":
        data[1000] ^= 1
    elif what == "cut":
        del data[1000:]
    else:
        data[4] ^= 1
        del data[20:]
    page.evaluate(DROP, ["broken.cwic", _coded(bytes(data))])
    page.wait_for_selector("#error:not([hidden])")
    assert any(word in page.inner_text("#error") for word in ("damaged", "cut short"))
    assert page.is_visible("#open")


def test_what_is_dropped_is_shown(page: Any) -> None:
    page.evaluate(DROP, ["dropped.cwic", _coded((GOLDEN / "cwic_s_tiled.cwic").read_bytes())])
    _settle(page, "dropped.cwic", "230x200")
    assert page.is_hidden("#error")
    assert page.is_hidden("#beside")
    image = io.BytesIO()
    Image.radial_gradient("L").resize((96, 64)).save(image, "PNG")
    page.evaluate(DROP, ["dropped.png", _coded(image.getvalue())])
    _settle(page, "dropped.png", "96x64", "Original")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder on a plain web server, with a page of somebody else."""
    folder = tmp_path_factory.mktemp("site")
    write_site(folder, ["cwic-s-1"])
    data = (GOLDEN / "cwic_s_tiled.cwic").read_bytes()
    (folder / "photo.cwic").write_bytes(data)
    (folder / "broken.cwic").write_bytes(data[:-9])
    (folder / "other.cwic").write_bytes((GOLDEN / "cwic_m.cwic").read_bytes())
    tags = "".join(f'<cwic-image src="{name}.cwic" alt="{name}"></cwic-image>' for name in ("photo", "broken", "other"))
    (folder / "mine.html").write_text(f'<script type="module" src="cwic.js"></script>{tags}')
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_the_element_on_a_page_of_somebody_else(browser: Any, site: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script(
        """window.fired = [];
        for (const name of ['preview', 'load', 'error'])
          document.addEventListener(name, ({ target }) => target.alt && fired.push([name, target.alt]), true);"""
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site + "mine.html")
    page.wait_for_function("() => document.querySelector('cwic-image')?.picture")
    fired = page.evaluate("() => fired")
    assert [name for name, alt in fired if alt == "photo"] == ["preview", "load"]
    times = page.evaluate("() => document.querySelector('cwic-image').picture.milliseconds")
    assert 0 < times["preview"] < times["whole"]
    assert page.evaluate("() => document.querySelector('cwic-image').picture.threads") == 1
    assert bytes(page.evaluate(FIRST_BYTES))[:2] == b"\x1f\x8b"  # this server knows nothing: the page inflated it
    page.wait_for_function(f"() => ({SAID})().slice(1).every((text) => text)")
    said = page.evaluate(SAID)
    assert "cut short" in said[1]
    assert "which this page does not have" in said[2]
    assert asked.count(site + "photo.cwic") == 1
    page.close()


def test_the_static_page(browser: Any, site: str) -> None:
    page = browser.new_page(viewport={"width": 900, "height": 600})
    page.set_default_timeout(PATIENCE)
    page.goto(site + "?src=photo.cwic")
    _settle(page, "photo.cwic", "230x200, cwic-s", "one thread")
    assert page.is_hidden("#requality")
    image = io.BytesIO()
    cwic.decode((GOLDEN / "cwic_s_tiled.cwic").read_bytes()).convert("RGB").save(image, "PNG")
    page.evaluate(DROP, ["original.png", _coded(image.getvalue())])
    _settle(page, "Original")
    assert page.is_visible("#ways")
    page.close()
