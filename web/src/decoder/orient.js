// How a picture is to be turned: the orientation of EXIF, or else of XMP, and blocks turned by it.

// The orientation, 1 to 8, that these payloads give; 1 if they say nothing readable.
export function orientationOf(exif, xmp) {
  return fromExif(exif) ?? fromXmp(xmp) ?? 1;
}

function fromExif(exif) {
  if (!exif || exif.length < 14) return null;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return null;
  const little = order === 0x4949;
  const directory = view.getUint32(4, little);
  if (directory + 2 > exif.length) return null;
  const count = view.getUint16(directory, little);
  for (let k = 0; k < count; k++) {
    const at = directory + 2 + 12 * k;
    if (at + 12 > exif.length) return null;
    if (view.getUint16(at, little) === 0x0112) return valid(view.getUint16(at + 8, little));
  }
  return null;
}

function fromXmp(xmp) {
  if (!xmp) return null;
  const found = /tiff:Orientation(?:="|>)\s*([1-8])/.exec(new TextDecoder().decode(xmp));
  return found ? valid(Number(found[1])) : null;
}

const valid = (value) => (value >= 1 && value <= 8 ? value : null);

// Width and height of a picture once it is turned.
export function turnedSize({ width, height }, orientation) {
  return orientation > 4 ? { width: height, height: width } : { width, height };
}

const flips = (orientation) => [[2, 3, 7, 8].includes(orientation), [3, 4, 6, 7].includes(orientation)];

// A box {left, top, width, height} of a picture of `size`, turned with it.
export function turnBox({ left, top, width, height }, { width: W, height: H }, orientation) {
  const [flipX, flipY] = flips(orientation);
  const [x, y] = [flipX ? W - left - width : left, flipY ? H - top - height : top];
  return orientation > 4 ? { left: y, top: x, width: height, height: width } : { left: x, top: y, width, height };
}

// A block of a picture of `size`, turned with it.
export function turnBlock(block, size, orientation) {
  if (orientation === 1) return block;
  const { width, height, rgba } = block;
  const [flipX, flipY] = flips(orientation);
  const swap = orientation > 4;
  const from = new Uint32Array(rgba.buffer, rgba.byteOffset, width * height);
  const to = new Uint32Array(width * height);
  const across = swap ? height : width;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [fx, fy] = [flipX ? width - 1 - x : x, flipY ? height - 1 - y : y];
      to[swap ? fx * across + fy : fy * across + fx] = from[y * width + x];
    }
  return { ...turnBox(block, size, orientation), rgba: new Uint8ClampedArray(to.buffer) };
}

// A small picture {left, top, width, height, columns, rows, rgba} of a part of a picture of `size`, turned with it.
export function turnPreview(preview, size, orientation) {
  const { columns, rows, rgba } = preview;
  const turned = turnBlock({ left: 0, top: 0, width: columns, height: rows, rgba }, { width: columns, height: rows }, orientation);
  const area = turnBox(preview, size, orientation);
  return { ...area, columns: turned.width, rows: turned.height, rgba: turned.rgba };
}
