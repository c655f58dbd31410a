// A file taken apart: header, chunks, and which of them are intact (docs/format.md, section 3).
import { crc32 } from './crc.js';
import { FormatError, LimitError } from './errors.js';
import { checkLimit, readHeader, readVarint } from './header.js';

export const NAMES = { T: 'tile', P: 'plain tile', A: 'alpha', i: 'ICC profile', e: 'EXIF', x: 'XMP' };
const CRC_BYTES = 4;

const isTile = (type) => type === 'T' || type === 'P';
const isCritical = (type) => type >= 'A' && type <= 'Z';

export class Container {
  // Finds the chunks of a file. Throws FormatError that names what is damaged, missing or too new; LimitError.
  constructor(data) {
    this.data = data;
    this.header = readHeader(data.subarray(0, 20));
    this.headerCrc = crc32(data.subarray(0, this.header.bytes));
    this.spans = [];
    let broken = null;
    try {
      this.#walk();
      this.#checkOrder();
    } catch (error) {
      if (error instanceof LimitError || !(error instanceof FormatError)) throw error;
      broken = error;
    }
    const first = this.spans.findIndex((span) => isTile(span.type));
    this.firstTile = first < 0 ? this.spans.length : first;
    if (!broken) return;
    // A wrong length or a wrong header derails the walk, so the checksums speak before the walk's own error.
    this.verify(this.spans.keys());
    throw this.#newer() ?? broken;
  }

  // Checks the chunks beside the tiles, and these tiles. Throws FormatError that names what is damaged.
  verifyTiles(tiles) {
    this.verify([...Array(this.firstTile).keys(), ...tiles.map((tile) => this.firstTile + tile)]);
  }

  verify(chunks) {
    const damaged = [...chunks].filter((k) => !this.#isIntact(this.spans[k]));
    if (!damaged.length) return;
    if (this.spans.every((span) => !this.#isIntact(span)))
      throw new FormatError(
        this.spans.length === 1
          ? `the header or the ${this.#nameOf(0)} is damaged`
          : 'the header is damaged: no checksum matches it',
      );
    const names = damaged.slice(0, 8).map((k) => this.#nameOf(k));
    throw new FormatError(`damaged: ${names.join(', ')}${damaged.length > 8 ? ' and others' : ''}`);
  }

  // A tile: its type and payload.
  tile(index) {
    return this.#chunk(this.spans[this.firstTile + index]);
  }

  // The payload of the chunk of a type beside the tiles, or null.
  side(type) {
    const span = this.spans.slice(0, this.firstTile).find((each) => each.type === type);
    return span ? this.#chunk(span).payload : null;
  }

  #chunk(span) {
    return { type: span.type, payload: this.data.subarray(span.start, span.end) };
  }

  #walk() {
    const { columns, rows } = this.header;
    let position = this.header.bytes;
    let others = 0;
    let metadataBytes = 0;
    for (let left = columns * rows; left; ) {
      if (position === this.data.length)
        throw new FormatError(`the file is cut short: ${left} of ${columns * rows} tiles are missing`);
      const span = this.#head(position);
      const length = span.end - span.start;
      checkLimit('max_chunk_bytes', length);
      if (isTile(span.type)) left--;
      else checkLimit('max_chunks', ++others);
      if (!isCritical(span.type)) checkLimit('max_metadata_bytes', (metadataBytes += length));
      this.spans.push(span);
      position = span.end + CRC_BYTES;
    }
    if (position < this.data.length)
      throw new FormatError(`${this.data.length - position} bytes follow the last tile`);
  }

  #head(offset) {
    const type = String.fromCharCode(this.data[offset]);
    if (!/^[A-Za-z]$/.test(type)) throw new FormatError(`the file is damaged: no chunk begins at byte ${offset}`);
    const [length, start] = readVarint(this.data, offset + 1, 'chunk length');
    if (start + length + CRC_BYTES > this.data.length)
      throw new FormatError(`the file is cut short inside the chunk '${type}' at byte ${offset}`);
    return { type, offset, start, end: start + length };
  }

  #checkOrder() {
    const newer = this.#newer();
    if (newer) throw newer;
    const { columns, rows, hasAlpha, mode } = this.header;
    const types = this.spans.map((span) => span.type);
    if (types.slice(0, types.length - columns * rows).some(isTile))
      throw new FormatError(`the ${columns * rows} tiles must be the last chunks`);
    for (const type of 'Aiex')
      if (types.filter((each) => each === type).length > 1)
        throw new FormatError(`more than one ${NAMES[type]} chunk`);
    if (hasAlpha !== types.includes('A'))
      throw new FormatError(`mode ${mode} ${hasAlpha ? 'needs an' : 'has no'} alpha chunk`);
  }

  #newer() {
    const unknown = this.spans.find((span) => isCritical(span.type) && !(span.type in NAMES));
    return unknown
      ? new FormatError(`the file needs a newer cwic: unknown chunk '${unknown.type}' at byte ${unknown.offset}`)
      : null;
  }

  #isIntact(span) {
    const crc = crc32(this.data.subarray(span.offset, span.end), this.headerCrc);
    const view = new DataView(this.data.buffer, this.data.byteOffset + span.end, CRC_BYTES);
    return crc === view.getUint32(0, true);
  }

  #nameOf(k) {
    const { type, offset } = this.spans[k];
    if (!isTile(type)) return `${NAMES[type] ?? `chunk '${type}'`} at byte ${offset}`;
    const index = this.spans.slice(0, k).filter((span) => isTile(span.type)).length;
    return `tile (column ${index % this.header.columns}, row ${Math.floor(index / this.header.columns)})`;
  }
}
