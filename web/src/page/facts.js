// The table under the pictures: what each is, in bytes, bits per pixel and distances from the original.

const COLUMNS = ['', 'bytes', 'bpp', 'PSNR, dB', 'SSIMULACRA 2', ''];

// PSNR in dB of two canvases of the same size over red, green and blue; null if they are not of the same size.
export function psnr(first, second) {
  const { width, height } = first;
  if (second.width !== width || second.height !== height) return null;
  let sum = 0;
  const rows = Math.max(1, Math.floor(2 ** 20 / width));
  for (let top = 0; top < height; top += rows) {
    const size = [width, Math.min(rows, height - top)];
    const a = first.getContext('2d').getImageData(0, top, ...size).data;
    const b = second.getContext('2d').getImageData(0, top, ...size).data;
    for (let k = 0; k < a.length; k++) if (k % 4 !== 3) sum += (a[k] - b[k]) ** 2;
  }
  return sum ? 10 * Math.log10((255 ** 2 * 3 * width * height) / sum) : Infinity;
}

// Writes rows of {name, bytes, bpp, psnr, ssimulacra2, note} into a table's body.
export function showFacts(body, rows) {
  const cells = (tag, texts) => {
    const row = document.createElement('tr');
    row.append(...texts.map((text) => Object.assign(document.createElement(tag), { textContent: text })));
    return row;
  };
  const number = (value, digits) => {
    if (value === undefined || value === null) return '';
    return value === Infinity || value === 'Infinity' ? 'equal' : value.toFixed(digits);
  };
  const lines = rows.map(({ name, bytes, bpp, psnr: dB, ssimulacra2, note }) =>
    cells('td', [name, bytes?.toLocaleString('en') ?? '', number(bpp, 3), number(dB, 2), number(ssimulacra2, 2), note ?? '']),
  );
  body.replaceChildren(...(rows.length ? [cells('th', COLUMNS), ...lines] : []));
}
