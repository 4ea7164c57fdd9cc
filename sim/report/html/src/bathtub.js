// Error of a norm at every power of two of its scale, with the scales that methods choose; below it the share of tokens
// that lose something there.
import { axisName, exact, power, tip, tooltip } from './charts.js';
import { dashes } from './theme.js';

export const tokenEvents = ['overflow', 'underflow', 'swamped'];
const curve = { top: 56, height: 190 };
const shares = { top: 286, height: 80 };

/** The chosen norm, or the first if it has no curve. */
export const shownBathtub = (data, state) => data.bathtub.find((entry) => entry.op === state.norm) ?? data.bathtub[0];

export function describeBathtub(data, state) {
  return (width, theme) => {
    const norm = shownBathtub(data, state);
    const side = { left: 68, right: 20 };
    const option = {
      grid: [{ ...side, ...curve }, { ...side, ...shares }],
      xAxis: [scaleAxis(norm, theme, { gridIndex: 0, axisLabel: { show: false } }),
              scaleAxis(norm, theme, { gridIndex: 1, ...axisName('scale s', 28, theme) })],
      yAxis: [{ gridIndex: 0, type: 'log', axisLine: { show: false }, axisTick: { show: false }, ...errorRange(norm), ...axisName('relative error', 48, theme),
                axisLabel: { color: theme.muted, formatter: (value) => power(10, Math.round(Math.log10(value))) },
                splitLine: { lineStyle: { color: theme.rule } } },
              { gridIndex: 1, type: 'value', min: 0, max: 100, interval: 50, axisLine: { show: false }, axisTick: { show: false }, ...axisName('tokens', 48, theme),
                axisLabel: { color: theme.muted, formatter: '{value} %' }, splitLine: { lineStyle: { color: theme.rule } } }],
      series: [errorSeries(norm, theme), ...tokenEvents.map((name, index) => eventSeries(norm, name, index, theme))],
    };
    option.tooltip = tooltip(theme, ({ data: item }) => item?.tokens ? tip(`${norm.op}, s = ${power(2, item.value[0])}`, [
      ['relative error', item.error === null ? 'not finite' : item.error.toExponential(2)],
      ...tokenEvents.map((name, index) => [`tokens with ${name}`, `${exact(item.tokens[index])} of ${exact(norm.tokens)}`])]) : null);
    return { height: shares.top + shares.height + 48, option };
  };
}

function scaleAxis(norm, theme, more) {
  return { type: 'value', min: norm.points[0][0] - 0.5, max: norm.points[norm.points.length - 1][0] + 0.5, minInterval: 1,
           splitLine: { show: false }, axisLine: { onZero: false, lineStyle: { color: theme.rule } }, ...more,
           axisLabel: { color: theme.muted, showMinLabel: false, showMaxLabel: false, formatter: (value) => power(2, value), ...more.axisLabel } };
}

/** Whole powers of ten around the errors that can be drawn. */
function errorRange(norm) {
  const finite = norm.points.filter(([, error]) => error !== null && error > 0).map(([, error]) => error);
  return { min: 10 ** Math.floor(Math.log10(Math.min(...finite, 1))), max: 10 ** Math.ceil(Math.log10(Math.max(...finite, 1e-9))) };
}

function errorSeries(norm, theme) {
  const color = theme.series[0];
  const area = (from, to, name, opacity) => [
    { xAxis: from, name, itemStyle: { color: theme.muted, opacity }, label: { color: theme.muted, fontSize: 11, position: 'insideTop' } }, { xAxis: to }];
  const areas = runsOf(norm.points.filter(([, error]) => error === null).map(([scale]) => scale))
    .map(([from, to]) => area(from - 0.5, to + 0.5, 'not finite', 0.16));
  if (norm.same_bits) areas.push(area(norm.same_bits[0] - 0.5, norm.same_bits[1] + 0.5, 'same bits', 0.1));
  return {
    type: 'line', data: norm.points.map(([scale, error, tokens]) => ({ value: [scale, error > 0 ? error : null], error, tokens })),
    symbol: 'circle', symbolSize: 6, itemStyle: { color }, lineStyle: { color, width: 2 }, connectNulls: false,
    markArea: { silent: true, data: areas },
    markLine: { silent: true, symbol: 'none', lineStyle: { color: theme.muted, type: [4, 3], width: 1.2 },
                label: { color: theme.text, fontSize: 11, position: 'end' },
                data: marksOf(norm).map(([scale, names], index) => ({ xAxis: scale, label: { formatter: names, distance: index % 2 ? 20 : 6 } })) },
  };
}

function eventSeries(norm, name, index, theme) {
  const color = theme.series[1 + index];
  return { type: 'line', name, xAxisIndex: 1, yAxisIndex: 1, symbol: 'circle', symbolSize: 4, itemStyle: { color },
           lineStyle: { color, type: dashes[index], width: 1.5 },
           data: norm.points.map(([scale, error, tokens]) => ({ value: [scale, 100 * tokens[index] / norm.tokens], error, tokens })) };
}

/** Methods by ascending scale; those at one scale share a line. A norm without a static scale is at 1. */
function marksOf(norm) {
  const names = new Map();
  for (const [method, scale] of norm.marks) names.set(scale, [...(names.get(scale) ?? []), method]);
  if (!names.has(0) && norm.points[0][0] <= 0 && norm.points[norm.points.length - 1][0] >= 0) names.set(0, ['unscaled']);
  return [...names].sort(([a], [b]) => a - b).map(([scale, methods]) => [scale, methods.join(', ')]);
}

/** [2, 3, 4, 7] -> [[2, 4], [7, 7]] */
function runsOf(numbers) {
  const runs = [];
  for (const number of numbers) {
    const last = runs[runs.length - 1];
    if (last && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}
