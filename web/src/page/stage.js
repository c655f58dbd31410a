// The stage: one or two pictures of the same size on a canvas, with zoom, pan, slider, flicker and difference.

const AMPLIFIED = 8;
const MAX_SCALE = 64;
const GRIP = 8; // pixels on either side of the slider's line that take hold of it
const SIDE = 1024; // of a square of differences

export class Stage {
  way = 'split';
  line = 0.5; // of the stage's width, where the second picture begins
  flipped = false; // whether flicker shows the second picture

  // `onChange` is told the zoom when it changes.
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.scale = 1;
    this.left = this.top = 0;
    this.fitted = true;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    canvas.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener('pointerdown', (event) => this.#down(event));
    canvas.addEventListener('pointermove', (event) => this.#hover(event));
    this.#resize();
  }

  // Shows the canvas `first` and, if it is not null, `second` beside it. Keeps the zoom of a picture of the same size.
  show(first, second) {
    const same = this.first && first && this.first.width === first.width && this.first.height === first.height;
    this.first = first;
    this.second = second;
    this.difference = null;
    if (!same) this.fit();
    this.draw();
  }

  setWay(way) {
    this.way = way;
    this.draw();
  }

  fit() {
    this.fitted = true;
    if (this.first) {
      const { width, height } = this.canvas;
      this.scale = Math.min(width / this.first.width, height / this.first.height, devicePixelRatio) || 1;
      this.left = (width - this.first.width * this.scale) / 2;
      this.top = (height - this.first.height * this.scale) / 2;
    }
    this.onChange(this.scale);
    this.draw();
  }

  // Zooms so that a pixel of the picture has `scale` pixels of the screen, and what is at (x, y) stays there.
  zoom(scale, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    const next = Math.min(Math.max(scale, 1 / 64), MAX_SCALE);
    this.left = x - ((x - this.left) * next) / this.scale;
    this.top = y - ((y - this.top) * next) / this.scale;
    this.scale = next;
    this.fitted = false;
    this.onChange(this.scale);
    this.draw();
  }

  pan(x, y) {
    this.left += x;
    this.top += y;
    this.fitted = false;
    this.draw();
  }

  // Draws at the next frame, once for all that asked.
  draw() {
    this.asked ??= requestAnimationFrame(() => {
      this.asked = null;
      this.#draw();
    });
  }

  #draw() {
    const context = this.canvas.getContext('2d');
    const { width, height } = this.canvas;
    context.clearRect(0, 0, width, height);
    if (!this.first) return;
    if (this.second && this.way === 'difference') return this.#paint(context, this.#differences());
    if (this.second && this.way === 'flicker') return this.#paint(context, this.flipped ? this.second : this.first);
    this.#paint(context, this.first);
    if (!this.second) return;
    const line = Math.round(this.line * width);
    context.save();
    context.beginPath();
    context.rect(line, 0, width - line, height);
    context.clip();
    context.clearRect(line, 0, width - line, height);
    this.#paint(context, this.second);
    context.restore();
    context.fillStyle = '#ffb454';
    context.fillRect(line - 1, 0, 2, height);
  }

  #paint(context, picture) {
    context.imageSmoothingEnabled = this.scale < 1;
    context.imageSmoothingQuality = 'high';
    const [w, h] = [picture.width * this.scale, picture.height * this.scale];
    context.drawImage(picture, Math.round(this.left), Math.round(this.top), w, h);
  }

  // The absolute differences of the two pictures, eight times as large.
  #differences() {
    if (this.difference) return this.difference;
    const { width, height } = this.first;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d');
    for (let top = 0; top < height; top += SIDE)
      for (let left = 0; left < width; left += SIDE) {
        const size = [Math.min(SIDE, width - left), Math.min(SIDE, height - top)];
        const a = this.first.getContext('2d').getImageData(left, top, ...size);
        const b = this.second.getContext('2d').getImageData(left, top, ...size).data;
        for (let k = 0; k < b.length; k++) a.data[k] = k % 4 === 3 ? 255 : AMPLIFIED * Math.abs(a.data[k] - b[k]);
        context.putImageData(a, left, top);
      }
    return (this.difference = canvas);
  }

  #resize() {
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.max(1, Math.round(clientWidth * devicePixelRatio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * devicePixelRatio));
    if (this.fitted) this.fit();
    else this.draw();
  }

  #at(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return [(event.clientX - left) * devicePixelRatio, (event.clientY - top) * devicePixelRatio];
  }

  #onLine(x) {
    return this.second && this.way === 'split' && Math.abs(x - this.line * this.canvas.width) < GRIP * devicePixelRatio;
  }

  #wheel(event) {
    event.preventDefault();
    this.zoom(this.scale * 2 ** (-event.deltaY / 240), ...this.#at(event));
  }

  #hover(event) {
    this.canvas.style.cursor = this.#onLine(this.#at(event)[0]) ? 'ew-resize' : 'grab';
  }

  #down(event) {
    let [x, y] = this.#at(event);
    const sliding = this.#onLine(x);
    if (this.second && this.way === 'flicker') this.flipped = !this.flipped;
    this.canvas.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const [nx, ny] = this.#at(moved);
      if (sliding) {
        this.line = Math.min(Math.max(nx / this.canvas.width, 0), 1);
        this.draw();
      } else this.pan(nx - x, ny - y);
      [x, y] = [nx, ny];
    };
    const up = () => {
      this.canvas.removeEventListener('pointermove', move);
      this.canvas.removeEventListener('pointerup', up);
      this.canvas.removeEventListener('pointercancel', up);
    };
    this.canvas.addEventListener('pointermove', move);
    this.canvas.addEventListener('pointerup', up);
    this.canvas.addEventListener('pointercancel', up);
    this.draw();
  }
}
