// The decoder without a page, for Node and for tests.
export { decode, open } from './decode.js';
export * from './errors.js';
export { Tiles } from './grid.js';
export { Model } from './model.js';
