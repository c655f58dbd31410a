// The header of a file, and how much it may ask for (docs/format.md, sections 2 and 3.4).
import { FormatError, LimitError } from './errors.js';

const VERSION = 1;
const TILE_UNIT = 64;
const MAX_LEVEL = 1000;
const MODES = ['L', 'RGB', 'LA', 'RGBA'];
const VARINT_MAX = 2 ** 31 - 1;

export const LIMITS = {
  max_side: 2 ** 20,
  max_pixels: 178956970,
  max_tile_pixels: 2 ** 24,
  max_tiles: 2 ** 16,
  max_chunks: 2 ** 10,
  max_chunk_bytes: 2 ** 30,
  max_metadata_bytes: 2 ** 26,
};

export function checkLimit(name, value) {
  if (value > LIMITS[name]) throw new LimitError(`${value} is over the limit ${name} = ${LIMITS[name]}`);
}

// A varint at `position`: [value, position after it]. Throws a text that says what is wrong with it.
export function readVarint(data, position, name) {
  let value = 0;
  for (let count = 0; count < 5; count++) {
    if (position >= data.length) throw new FormatError(`the file is cut short inside '${name}', at byte ${data.length}`);
    const byte = data[position++];
    value += (byte & 0x7f) * 2 ** (7 * count);
    if (value > VARINT_MAX) break;
    if (byte < 0x80) {
      if (!byte && count) throw new FormatError(`${name} is not in its shortest form`);
      return [value, position];
    }
  }
  throw new FormatError(`${name} is over ${VARINT_MAX}`);
}

// The header at the start of `data`, with the number of its `bytes`. Throws FormatError and LimitError.
export function readHeader(data) {
  if (data[0] !== 0x89 || data[1] !== 0x43 || data[2] !== 0x57) throw new FormatError('not a cwic file');
  if (data.length < 4) throw new FormatError("the file is cut short inside 'version', at byte 3");
  if (data[3] > VERSION)
    throw new FormatError(`the file needs a newer cwic: it has format version ${data[3]}, this page reads ${VERSION}`);
  if (data[3] < VERSION) throw new FormatError('the header is damaged: version 0 is not valid');
  if (data.length < 10) throw new FormatError(`the file is cut short inside the header, at byte ${data.length}`);
  const modelId = Array.from(data.subarray(4, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const coding = data[8] | (data[9] << 8);
  const level = coding & 0x3ff;
  if (level > MAX_LEVEL) throw new FormatError(`the header is damaged: level must be from 0 to 1000, not ${level}`);
  const mode = MODES[(coding >> 10) & 3];
  const tileCode = coding >> 12;
  const [width, afterWidth] = readVarint(data, 10, 'width');
  const [height, bytes] = readVarint(data, afterWidth, 'height');
  if (!width || !height) throw new FormatError(`the header is damaged: a picture of ${width}x${height} pixels`);
  const tileSize = tileCode ? TILE_UNIT * 2 ** tileCode : null;
  const columns = tileSize ? Math.ceil(width / tileSize) : 1;
  const rows = tileSize ? Math.ceil(height / tileSize) : 1;
  const header = { modelId, level, mode, hasAlpha: mode.endsWith('A'), width, height, tileSize, columns, rows, bytes };
  checkLimit('max_side', Math.max(width, height));
  checkLimit('max_pixels', width * height);
  const side = tileSize ?? Math.max(width, height);
  checkLimit('max_tile_pixels', Math.min(side, width) * Math.min(side, height));
  checkLimit('max_tiles', columns * rows);
  return header;
}
