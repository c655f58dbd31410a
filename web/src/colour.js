// Colour profiles: a browser applies them to PNG files, so a canvas becomes one, with its profile, and is drawn again.
import { crc32 } from './decoder/crc.js';

const MAX_PIXELS = 2 ** 25;

// Redraws `canvas`, whose samples are meant in the ICC profile `icc`, in the colours of the page. Leaves it as it is
// where the browser cannot use the profile, or the picture is too large to be coded again.
export async function coloured(canvas, icc) {
  const { width, height } = canvas;
  if (width * height > MAX_PIXELS || typeof CompressionStream === 'undefined') return;
  const context = canvas.getContext('2d');
  const png = await toPng(context.getImageData(0, 0, width, height), icc);
  try {
    const bitmap = await createImageBitmap(png);
    context.clearRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
  } catch {
    // A profile that is none: the samples stay as they are.
  }
}

async function toPng({ data, width, height }, icc) {
  const rows = new Uint8Array(height * (1 + 4 * width));
  for (let row = 0; row < height; row++)
    rows.set(data.subarray(4 * width * row, 4 * width * (row + 1)), row * (1 + 4 * width) + 1);
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, 6], 8); // 8 bits a sample, RGBA
  const name = new TextEncoder().encode('icc\0\0');
  const profile = new Uint8Array([...name, ...(await deflated(icc))]);
  const parts = [
    new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('iCCP', profile),
    chunk('IDAT', await deflated(rows)),
    chunk('IEND', new Uint8Array()),
  ];
  return new Blob(parts, { type: 'image/png' });
}

function chunk(type, payload) {
  const bytes = new Uint8Array(12 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(payload, 8);
  view.setUint32(8 + payload.length, crc32(bytes.subarray(4, 8 + payload.length)));
  return bytes;
}

async function deflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
