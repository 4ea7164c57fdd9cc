// Largest magnitude over sigma by linear layer: a hollow mark in the fp32 forward, a filled one where it reaches the
// array, and a line between the two. One panel per variant.
import { axisName, exact, isNarrow, panelTitle, panels, tip, tooltip } from './charts.js';

const outlierSigmas = 6;

export function describeOutliers(data, state) {
  return (width, theme) => {
    const variants = data.variants.filter((variant) => !state.variant || variant.name === state.variant);
    const kept = (entry) => !state.filter || entry.op.toLowerCase().includes(state.filter);
    const ops = [...new Set(data.variants.flatMap((variant) => variant.outliers.filter(kept).map((entry) => entry.op)))];
    const largest = Math.max(outlierSigmas, ...data.variants.flatMap(
      (variant) => variant.outliers.flatMap((entry) => [entry.reference[1], entry.array[1]])));
    const left = 8 + 6.6 * Math.max(4, ...ops.map((op) => op.length));
    const layout = panels(width, variants.map((variant) => variant.name), { least: 96, height: 18 * Math.max(1, ops.length), left, top: 44, bottom: 46, right: 24, gap: isNarrow(width) ? 26 : 40 });
    const option = { grid: [], xAxis: [], yAxis: [], series: [], title: [] };
    variants.forEach((variant, panel) => {
      const place = layout.places[panel];
      const entries = variant.outliers.filter(kept);
      option.title.push(panelTitle(place.title, place.left, place.titleTop, theme));
      option.grid.push({ left: place.left, top: place.top, width: place.width, height: place.height });
      option.xAxis.push({ gridIndex: panel, type: 'log', min: 1, max: 1.2 * largest, ...axisName('largest |x|', 26, theme),
                          axisLabel: { color: theme.muted, hideOverlap: true, showMaxLabel: false, formatter: '{value} σ' }, splitLine: { lineStyle: { color: theme.rule } } });
      option.yAxis.push({ gridIndex: panel, type: 'category', data: ops, inverse: true, axisTick: { show: false },
                          axisLine: { show: false }, splitLine: { show: true, lineStyle: { color: theme.rule } },
                          axisLabel: { show: place.first, color: theme.text, interval: 0 } });
      const axes = { xAxisIndex: panel, yAxisIndex: panel };
      const color = theme.series[1];
      const point = (entry, which) => ({ value: [entry[which][1], entry.op], entry, variant: variant.name });
      const line = (entry) => [{ coord: [entry.reference[1], entry.op] }, { coord: [entry.array[1], entry.op] }];
      option.series.push(
        { type: 'scatter', ...axes, symbolSize: 9, data: entries.map((entry) => point(entry, 'reference')), z: 4,
          itemStyle: { color: theme.page, borderColor: theme.text, borderWidth: 1.5 },
          markLine: { silent: true, symbol: 'none', data: entries.map(line), lineStyle: { color: theme.muted, type: 'solid', width: 1.5 } } },
        { type: 'scatter', ...axes, symbolSize: 8, data: entries.map((entry) => point(entry, 'array')), z: 5, itemStyle: { color, opacity: 1 },
          markLine: { silent: true, symbol: 'none', data: [{ xAxis: outlierSigmas }],
                      lineStyle: { color: theme.text, type: [4, 3], width: 1 },
                      label: { formatter: '6 σ', position: 'start', color: theme.muted, fontSize: 11 } } });
    });
    option.tooltip = tooltip(theme, ({ data: item }) => tip(`${item.entry.op}, ${item.variant}`, [
      ['fp32 forward, largest', figure(item.entry.reference[1])], ['at the array, largest', figure(item.entry.array[1])],
      ['fp32 forward, median', figure(item.entry.reference[0])], ['at the array, median', figure(item.entry.array[0])],
      ['outliers, fp32 forward', exact(item.entry.outliers[0])], ['outliers, at the array', exact(item.entry.outliers[1])]]));
    return { height: Math.max(60, layout.height), option };
  };
}

function figure(ratio) { return ratio === null ? '–' : `${ratio.toPrecision(3)} σ`; }
