// Exponents of a norm's squares and of their sums, one panel per variant under each other so that shifts show; behind
// them the range of the accumulator that sums them.
import { axisName, exact, foldTitle, panelTitle, power, tip, titleLine, tooltip } from './charts.js';

const panelHeight = 96;
const panelGap = 40;
const side = { left: 60, right: 12 };
/** Opacity of a format's ranges behind the bars. */
export const rangeShades = { normal: 0.16, subnormal: 0.08 };

/** The norm of a variant by name, if it has it. */
const normOf = (variant, op) => variant.norms.find((norm) => norm.op === op);

const room = (norm) => ({
  head: norm.sums.length ? norm.largest - norm.sums[norm.sums.length - 1][0] : null,
  foot: norm.squares.length ? norm.squares[0][0] - norm.least_normal : null,
});

export function normNames(data) {
  return [...new Set(data.variants.flatMap((variant) => variant.norms.map((norm) => norm.op)))];
}

/** The norm with the least head-room in any variant. */
export function tightestNorm(data) {
  const norms = data.variants.flatMap((variant) => variant.norms).filter((norm) => norm.sums.length);
  return norms.sort((a, b) => room(a).head - room(b).head)[0]?.op ?? normNames(data)[0];
}

export function describeExponents(data, state) {
  return (width, theme) => {
    const shown = data.variants.filter((variant) => (!state.variant || variant.name === state.variant) && normOf(variant, state.norm));
    const norms = shown.map((variant) => normOf(variant, state.norm));
    const all = data.variants.map((variant) => normOf(variant, state.norm)).filter(Boolean);
    const exponents = all.flatMap((norm) => [norm.least, norm.largest, ...norm.squares.map(([e]) => e), ...norm.sums.map(([e]) => e)]);
    const [first, last] = [Math.min(...exponents) - 2, Math.max(...exponents) + 2];
    const most = 20 * Math.ceil(Math.max(...all.flatMap((norm) => [tallest(norm.squares), tallest(norm.sums)])) / 20);
    const axis = Array.from({ length: last - first + 1 }, (_, index) => first + index);
    const option = { grid: [], xAxis: [], yAxis: [], series: [], title: [] };
    const titles = norms.map((norm, panel) => titleOf(shown[panel], norm, width - side.left - side.right));
    const titleHeight = 8 + titleLine * Math.max(1, ...titles.map((lines) => lines.length));
    const step = titleHeight + panelHeight + panelGap;
    norms.forEach((norm, panel) => {
      const top = titleHeight + panel * step;
      option.title.push(panelTitle(titles[panel].join('\n'), side.left, top - 4 - titleLine * titles[panel].length, theme));
      option.grid.push({ ...side, top, height: panelHeight });
      option.xAxis.push({ gridIndex: panel, type: 'category', data: axis, axisTick: { show: false },
                          axisLine: { lineStyle: { color: theme.rule } },
                          axisLabel: { color: theme.muted, formatter: (e) => power(2, e), hideOverlap: true } });
      option.yAxis.push({ gridIndex: panel, type: 'value', max: most, ...axisName('share', 44, theme), interval: most / 2,
                          axisLabel: { color: theme.muted, formatter: '{value} %' },
                          splitLine: { lineStyle: { color: theme.rule } } });
      option.series.push(bars('squares', norm.squares, norm, panel, axis, theme.series[0], range(norm, axis, (width - side.left - side.right) / axis.length, theme)));
      option.series.push(bars('sums of squares', norm.sums, norm, panel, axis, theme.series[1]));
    });
    option.tooltip = tooltip(theme, ({ data: item }) => item.count === undefined ? null : tip(
      `${state.norm}, ${power(2, item.exponent)}`, [[item.what, exact(item.count)], ['share', `${item.value[1].toPrecision(3)} %`]],
      place(item.exponent, item.norm)));
    return { height: Math.max(60, norms.length * step), option };
  };
}

const total = (histogram) => histogram.reduce((sum, [, count]) => sum + count, 0);
/** The largest share in percent; 1 of nothing. */
const tallest = (histogram) => Math.max(1, ...histogram.map(([, count]) => 100 * count / total(histogram)));
const bits = (count) => count === null ? '–' : `${String(count).replace('-', '−')} ${Math.abs(count) === 1 ? 'bit' : 'bits'}`;

/** Lines over a panel: one if all has room there. */
function titleOf(variant, norm, width) {
  const { head, foot } = room(norm);
  const scale = norm.scale === null ? '' : `, s = ${norm.scale}`;
  const name = `${variant.name}${scale}:`;
  const rooms = `head-room ${bits(head)}, foot-room ${bits(foot)}`;
  const all = foldTitle(`${name} ${rooms}`, width);
  return all.length === 1 ? all : [...foldTitle(name, width), rooms];
}

function bars(what, histogram, norm, panel, axis, color, markArea) {
  const sum = total(histogram);
  return { type: 'bar', name: what, xAxisIndex: panel, yAxisIndex: panel, barGap: '-100%', barCategoryGap: '12%',
           barMinHeight: 2, itemStyle: { color, opacity: 0.85 }, markArea,
           data: histogram.map(([exponent, count]) => (
             { value: [exponent - axis[0], 100 * count / sum], what, exponent, count, norm })) };
}

/** The format's range: normal numbers, and below them the subnormal ones that are kept; named where `band` pixels per exponent leave room. */
function range(norm, axis, band, theme) {
  const at = (exponent) => exponent - axis[0];
  const area = (from, to, name, opacity) => [
    { xAxis: at(from), name: 6 * name.length < band * (to - from + 1) ? name : '', itemStyle: { color: theme.muted, opacity },
      label: { color: theme.muted, fontSize: 11, position: 'insideTop', opacity: 1 } }, { xAxis: at(to) }];
  const areas = [area(norm.least_normal, norm.largest, `${norm.format} normal range`, rangeShades.normal)];
  if (norm.least < norm.least_normal) areas.unshift(area(norm.least, norm.least_normal - 1, 'subnormal', rangeShades.subnormal));
  return { silent: true, data: areas };
}

function place(exponent, norm) {
  if (exponent > norm.largest) return `above the range of ${norm.format}`;
  if (exponent < norm.least) return `below everything that ${norm.format} keeps`;
  return exponent < norm.least_normal ? `a subnormal number of ${norm.format}` : '';
}
