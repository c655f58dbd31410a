// CRC-32 as zlib and PNG compute it: `crc32(data, crc32(before))` goes on where another one ended.

const TABLE = new Uint32Array(256).map((_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});

export function crc32(data, before = 0) {
  let crc = ~before;
  for (let k = 0; k < data.length; k++) crc = TABLE[(crc ^ data[k]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}
