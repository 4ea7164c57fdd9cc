// The parts of ECharts that the report uses, and what all its charts have in common.
import { BarChart, HeatmapChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkAreaComponent, MarkLineComponent, TitleComponent,
         TooltipComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([BarChart, HeatmapChart, LineChart, ScatterChart, GridComponent, LegendComponent, MarkAreaComponent,
     MarkLineComponent, TitleComponent, TooltipComponent, SVGRenderer]);

const narrow = 560;

/** A chart in `element` that `describe(width, theme)` describes: {height, option}. Drawn again when asked. */
export class Chart {
  constructor(element, describe) {
    this.element = element;
    this.describe = describe;
    this.chart = null;
  }

  draw(theme, width = this.element.clientWidth) {
    if (width === 0) return;
    const { height, option } = this.describe(width, theme);
    this.element.style.height = `${height}px`;
    if (!this.chart) this.chart = init(this.element, null, { renderer: 'svg', width, height });
    this.chart.resize({ width, height });
    const grid = [option.grid].flat().map((place) => ({ outerBoundsMode: 'none', ...place }));  // where it is said to be, whatever its labels
    this.chart.setOption({ ...common(theme), ...option, grid }, { notMerge: true });
  }
}

function common(theme) {
  return {
    animation: false,
    backgroundColor: 'transparent',
    textStyle: { fontFamily: theme.font, color: theme.text, fontSize: 12 },
  };
}

export const titleLine = 16;
const titleLetter = 7.8;  // width of a semibold letter of 13 pixels

/**
 * Places panels with `titles` side by side as far as they fit: [{title, titleTop, left, top, width, height, first}] and the
 * height of all. `top` is the room for a title of one line and what is below it.
 */
export function panels(width, titles, { least, height, gap = 24, left, top, bottom = 8, right = 12 }) {
  const needed = Math.max(least, ...titles.flatMap(partsOf).map((part) => titleLetter * part.length));
  const most = Math.max(1, Math.floor((width - left - right + gap) / (needed + gap)));
  const columns = Math.max(1, Math.ceil(titles.length / Math.ceil(titles.length / most)));  // as even as they can be
  const each = (width - left - right - gap * (columns - 1)) / columns;
  const folded = titles.map((title) => foldTitle(title, each));
  const head = top + titleLine * (Math.max(1, ...folded.map((lines) => lines.length)) - 1);
  const step = head + height + bottom;
  const places = folded.map((lines, index) => {
    const row = Math.floor(index / columns);
    return { title: lines.join('\n'), titleTop: row * step + head - top - titleLine * (lines.length - 1) + 4, left: left + (index % columns) * (each + gap),
             top: head + row * step, width: each, height, first: index % columns === 0 };
  });
  return { places, height: Math.ceil(titles.length / columns) * step };
}

/** Where the name of a variant may fold: behind plus signs, commas and brackets. */
const partsOf = (title) => title.split(/(?<=[+,(])/);

/** Lines of a title that begins with the name of a variant. */
export function foldTitle(title, width) {
  const most = Math.max(1, Math.floor(width / titleLetter));
  const lines = [''];
  for (const part of partsOf(title)) {
    if (lines[lines.length - 1] !== '' && lines[lines.length - 1].length + part.length > most) lines.push('');
    lines[lines.length - 1] += part;
  }
  return lines;
}

export function isNarrow(width) { return width < narrow; }

/** Text over a panel, flush with it. */
export function panelTitle(text, left, top, theme, more = {}) {
  return { text, left, top, padding: 0, ...more, textStyle: { fontSize: 13, fontWeight: 600, lineHeight: titleLine, color: theme.text, ...more.textStyle } };
}

/** Name of a value axis, along it. */
export function axisName(name, gap, theme) {
  return { name, nameLocation: 'middle', nameGap: gap, nameTextStyle: { color: theme.muted, fontSize: 12 } };
}

/** Tooltip content as an element: text is never parsed as HTML. `rows`: [label, value]. */
export function tip(title, rows, note = '') {
  const box = document.createElement('div');
  box.className = 'tip';
  const add = (parent, tag, text) => {
    const element = parent.appendChild(document.createElement(tag));
    element.textContent = text;
    return element;
  };
  add(box, 'strong', title);
  const table = box.appendChild(document.createElement('table'));
  for (const [label, value] of rows) {
    const row = table.appendChild(document.createElement('tr'));
    add(row, 'td', label);
    add(row, 'td', value).className = 'n';
  }
  if (note) add(box, 'p', note);
  return box;
}

export function tooltip(theme, formatter, more = {}) {
  return {
    confine: true, backgroundColor: theme.surface, borderColor: theme.rule, borderWidth: 1, padding: [8, 10],
    textStyle: { color: theme.text, fontSize: 12 }, formatter, ...more,
  };
}

const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
/** Every digit of a count, as long as a number holds them. */
export function exact(count) {
  return Number.isSafeInteger(count) ? counts.format(count) : `${count.toPrecision(4)}`;
}
/** 6127269 -> "6.1M", for a small place. */
export function brief(count) {
  const units = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
  let unit = 0;
  while (count >= 999.5 && unit + 1 < units.length) { count /= 1000; ++unit; }
  return (unit > 0 && count < 9.95 ? count.toFixed(1) : Math.round(count).toString()) + units[unit];
}
/** power(2, -14) -> "2⁻¹⁴" */
export function power(base, exponent) {
  const digits = { '-': '⁻', 0: '⁰', 1: '¹', 2: '²', 3: '³', 4: '⁴', 5: '⁵', 6: '⁶', 7: '⁷', 8: '⁸', 9: '⁹' };
  return `${base}${[...String(exponent)].map((digit) => digits[digit]).join('')}`;
}
export function percent(part, whole) { return whole === 0 ? '–' : `${(100 * part / whole).toFixed(1)} %`; }
