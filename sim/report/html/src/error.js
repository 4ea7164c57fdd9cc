// SQNR of every op in the order of the network, one line per variant.
import { axisName, tip, tooltip } from './charts.js';
import { dashes, symbols } from './theme.js';

/** What stands for each variant. */
export function errorLegend(data, theme) {
  return data.variants.map(({ name }, index) => ({ label: name, color: theme.series[index % theme.series.length], shape: index, line: dashes[index % dashes.length] }));
}

export function describeError(data, state) {
  return (width, theme) => {
    const kept = data.ops.map((op, index) => ({ ...op, index }))
      .filter((op) => !state.filter || op.name.toLowerCase().includes(state.filter));
    const firstOfLayer = new Set(kept.filter((op, at) => at === 0 || kept[at - 1].layer !== op.layer).map((op) => op.name));
    const series = data.variants.map((variant, index) => {
      const shown = !state.variant || variant.name === state.variant;
      const color = theme.series[index % theme.series.length];
      return { type: 'line', name: variant.name, data: kept.map((op) => variant.sqnr_db[op.index]), connectNulls: false,
               symbol: symbols[index % symbols.length], symbolSize: shown ? 6 : 0, z: shown ? 3 : 1,
               showSymbol: kept.length * 7 < width, itemStyle: { color },
               lineStyle: { color, type: dashes[index % dashes.length], width: shown ? 2 : 1, opacity: shown ? 1 : 0.25 } };
    });
    const rotate = kept.length <= 24;
    const option = {
      grid: { left: 68, right: 36, top: 12, bottom: rotate ? 96 : 40 },
      tooltip: tooltip(theme, (items) => tip(items[0].axisValue,
        items.map((item) => [item.seriesName, item.data == null ? '–' : `${item.data.toFixed(1)} dB`])),
        { trigger: 'axis', axisPointer: { lineStyle: { color: theme.muted } } }),
      xAxis: { type: 'category', data: kept.map((op) => op.name), boundaryGap: false,
               axisTick: { show: false }, axisLine: { lineStyle: { color: theme.rule } },
               splitLine: { show: true, interval: (_, name) => firstOfLayer.has(name), lineStyle: { color: theme.rule } },
               axisLabel: { color: theme.muted, rotate: rotate ? 40 : 0, hideOverlap: true,
                            interval: rotate ? 0 : (_, name) => firstOfLayer.has(name),
                            formatter: (name) => rotate ? name : label(kept.find((op) => op.name === name)) } },
      yAxis: { type: 'value', axisLabel: { color: theme.muted, formatter: '{value} dB' }, ...axisName('SQNR', 50, theme), splitLine: { lineStyle: { color: theme.rule } } },
      series,
    };
    return { height: 340, option };
  };
}

function label(op) { return op.layer === '' ? op.row.replaceAll('_', ' ') : `layer ${op.layer}`; }
