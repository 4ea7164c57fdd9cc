// Error of a norm at every power of two of its scale, with the scales that methods choose.
import { exact, tip, tooltip } from './charts.js';

const eventNames = ['overflow', 'underflow', 'swamped'];

export function describeBathtub(data, state) {
  return (width, theme) => {
    const norm = data.bathtub.find((entry) => entry.op === state.norm) ?? data.bathtub[0];
    const finite = norm.points.filter(([, error]) => error !== null && error > 0).map(([, error]) => error);
    const [least, most] = [Math.min(...finite, 1), Math.max(...finite, 1e-9)];
    const color = theme.series[0];
    const area = (from, to, name, opacity) => [
      { xAxis: from, name, itemStyle: { color: theme.muted, opacity },
        label: { color: theme.muted, fontSize: 11, position: 'insideTop' } }, { xAxis: to }];
    const areas = runsOf(norm.points.filter(([, error]) => error === null).map(([scale]) => scale))
      .map(([from, to]) => area(from - 0.5, to + 0.5, 'not finite', 0.16));
    if (norm.same_bits) areas.push(area(norm.same_bits[0] - 0.5, norm.same_bits[1] + 0.5, 'same bits', 0.07));
    const option = {
      grid: { left: 64, right: 20, top: 48, bottom: 44 },
      xAxis: { type: 'value', name: 'log₂ s', nameLocation: 'middle', nameGap: 26, nameTextStyle: { color: theme.muted },
               min: norm.points[0][0] - 0.5, max: norm.points[norm.points.length - 1][0] + 0.5, minInterval: 1,
               axisLabel: { color: theme.muted, showMinLabel: false, showMaxLabel: false }, splitLine: { show: false },
               axisLine: { onZero: false, lineStyle: { color: theme.rule } } },
      yAxis: { type: 'log', axisLine: { show: false }, axisTick: { show: false }, min: 10 ** Math.floor(Math.log10(least)), max: 10 ** Math.ceil(Math.log10(most)),
               axisLabel: { color: theme.muted, formatter: (value) => value.toExponential(0) },
               splitLine: { lineStyle: { color: theme.rule } } },
      series: [{
        type: 'line', data: norm.points.map(([scale, error, tokens]) => ({ value: [scale, error > 0 ? error : null], error, tokens })),
        symbolSize: 6, itemStyle: { color }, lineStyle: { color, width: 2 }, connectNulls: false,
        markArea: { silent: true, data: areas },
        markLine: { silent: true, symbol: 'none', lineStyle: { color: theme.series[1], type: [4, 3], width: 1.5 },
                    label: { color: theme.text, fontSize: 11, position: 'end' },
                    data: marksOf(norm).map(([scale, names], index) => (
                      { xAxis: scale, label: { formatter: names, distance: index % 2 ? 20 : 6 } })) },
      }],
    };
    option.tooltip = tooltip(theme, ({ data: item }) => item?.tokens ? tip(`${norm.op}, s = 2^${item.value[0]}`, [
      ['error', item.error === null ? 'not finite' : item.error.toExponential(2)],
      ...eventNames.map((name, index) => [`tokens with ${name}`, `${exact(item.tokens[index])} of ${exact(norm.tokens)}`])]) : null);
    return { height: 300, option };
  };
}

/** Methods by scale; those at one scale share a line. */
function marksOf(norm) {
  const names = new Map();
  for (const [method, scale] of norm.marks) names.set(scale, [...(names.get(scale) ?? []), method]);
  return [...names].map(([scale, methods]) => [scale, methods.join(', ')]);
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
