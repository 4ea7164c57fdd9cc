// Colours, from the style sheet's custom properties so that light, dark and paper are defined in one place.

/** The colours that hold now. `paper`: as printed, whatever the screen shows. */
export function currentTheme(paper = false) {
  const root = document.documentElement;
  root.classList.toggle('paper', paper);
  const style = getComputedStyle(root);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const dark = color('scheme') === 'dark';
  return {
    dark,
    font: style.fontFamily,
    text: color('text'), muted: color('muted'), rule: color('rule'), surface: color('surface'), page: color('page'),
    state: { busy: color('busy'), input_stall: color('input-stall'), output_stall: color('output-stall'),
             token_wait: color('token-wait'), idle: color('idle') },
    series: [1, 2, 3, 4, 5, 6, 7].map((number) => color(`series-${number}`)),
    empty: color('empty'),
  };
}

// Viridis, a perceptually even ramp that keeps its order in greyscale and for colour-blind readers.
const viridis = ['#440154', '#472d7b', '#3b528b', '#2c728e', '#21918c', '#28ae80', '#5ec962', '#addc30', '#fde725'];

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** Colour of 0..1; more is further away from the page's own brightness. */
export function ramp(share, theme) {
  const position = (theme.dark ? share : 1 - share) * (viridis.length - 1);
  const below = Math.min(Math.floor(position), viridis.length - 2);
  const [a, b] = [channels(viridis[below]), channels(viridis[below + 1])];
  return `rgb(${a.map((value, i) => Math.round(value + (b[i] - value) * (position - below))).join(',')})`;
}

/** Black or white, whichever reads better on rgb(r,g,b) or #rrggbb. */
export function ink(color) {
  const rgb = color.startsWith('#') ? channels(color) : color.match(/\d+/g).map(Number);
  const linear = rgb.map((value) => ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return luminance > 0.18 ? '#000000' : '#ffffff';
}

// So that series differ without colour too.
export const dashes = ['solid', [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 4, 1, 4], [1, 3]];
/** Outlines in a box of 10 x 10. Five, since seven colours and seven shapes would repeat together from the eighth series on. */
export const shapes = ['M5 0a5 5 0 1 0 .01 0z', 'M.5 .5h9v9h-9z', 'M5 0L10 9.5H0z', 'M5 0L10 5L5 10L0 5z', 'M3 0h4v3h3v4H7v3H3V7H0V3h3z'];
export const symbols = shapes.map((shape) => `path://${shape}`);
