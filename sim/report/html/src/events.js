// Events of one kind by op and layer, one panel per variant.
import { brief, exact, panelTitle, panels, tip, tooltip } from './charts.js';
import { ink, ramp } from './theme.js';

export const shownEvents = ['overflow', 'underflow', 'swamped', 'clipped', 'zeroed', 'saturated', 'invalid', 'wrapped'];

/** Whether some variant has the event. */
export const isPresent = (data, event) => data.variants.some((variant) => variant.events.some(([, kind]) => data.events[kind] === event));

/** Events of which some variant has any; the five that are asked for most come first and are always offered. */
export function offeredEvents(data) {
  const always = 5;
  return shownEvents.filter((event, index) => index < always || isPresent(data, event));
}

/** {op: {total, stages: [[stage, count]]}} of a variant and event. */
function countsByOp(data, variant, event) {
  const counts = new Map();
  for (const [op, kind, stage, count] of variant.events) {
    if (data.events[kind] !== event) continue;
    const entry = counts.get(op) ?? { total: 0, stages: [] };
    entry.total += count;
    entry.stages.push([data.stages[stage].replaceAll('_', ' '), count]);
    counts.set(op, entry);
  }
  return counts;
}

/** Rows and columns of the ops that the filter leaves, each in the order of the network. */
function axesOf(data, filter) {
  const rows = [], layers = [];
  data.ops.forEach((op) => {
    if (filter && !op.name.toLowerCase().includes(filter)) return;
    if (!rows.includes(op.row)) rows.push(op.row);
    if (!layers.includes(op.layer)) layers.push(op.layer);
  });
  layers.sort((a, b) => (a === '' ? -1 : b === '' ? 1 : Number(a) - Number(b)));
  return { rows, layers };
}

/** state: {variant, filter, event}; returns what Chart draws. */
export function describeEvents(data, state) {
  return (width, theme) => {
    const { rows, layers } = axesOf(data, state.filter);
    const variants = data.variants.filter((variant) => !state.variant || variant.name === state.variant);
    const counted = variants.map((variant) => countsByOp(data, variant, state.event));
    const largest = Math.max(1, ...data.variants.flatMap(
      (variant) => [...countsByOp(data, variant, state.event).values()].map((entry) => entry.total)));
    const share = (count) => Math.log10(1 + count) / Math.log10(1 + largest);
    const left = 8 + 6.6 * Math.max(4, ...rows.map((row) => row.length));
    const layout = panels(width, variants.map((variant) => variant.name),
      { least: Math.max(130, 22 * layers.length), height: 22 * rows.length, left, top: 44, bottom: 14 });
    const cellWidth = layout.places.length ? layout.places[0].width / layers.length : 0;

    const option = { grid: [], xAxis: [], yAxis: [], series: [], title: [] };
    variants.forEach((variant, panel) => {
      const place = layout.places[panel];
      option.title.push(panelTitle(place.title, place.left, place.titleTop, theme));
      if (place.first) {
        option.title.push(panelTitle('layer', place.left - 8, place.top - 19, theme,
                                     { textAlign: 'right', textStyle: { fontSize: 12, fontWeight: 400, color: theme.muted } }));
      }
      option.grid.push({ left: place.left, top: place.top, width: place.width, height: place.height });
      const axis = { gridIndex: panel, type: 'category', axisTick: { show: false }, axisLine: { show: false },
                     splitArea: { show: false } };
      option.xAxis.push({ ...axis, data: layers.map((layer) => layer === '' ? '–' : layer), position: 'top',
                          axisLabel: { color: theme.muted, interval: 'auto', margin: 4 } });
      option.yAxis.push({ ...axis, data: rows, inverse: true,
                          axisLabel: { show: place.first, color: theme.text, interval: 0 } });
      option.series.push({
        type: 'heatmap', xAxisIndex: panel, yAxisIndex: panel,
        data: cellsOf(data, counted[panel], rows, layers, state.filter).map((cell) => {
          const color = cell.count === 0 ? theme.empty : ramp(share(cell.count), theme);
          return { value: [cell.x, cell.y, cell.count], cell, variant: variant.name,
                   itemStyle: { color, borderColor: theme.page, borderWidth: 1.5 },
                   label: { show: cell.count > 0 && cellWidth >= 32, color: cell.count ? ink(color) : theme.muted,
                            formatter: brief(cell.count), fontSize: 11 },
                   emphasis: { itemStyle: { borderColor: theme.text, borderWidth: 1.5 } } };
        }),
      });
    });
    option.tooltip = tooltip(theme, ({ data: item }) => tip(
      `${item.cell.name}, ${item.variant}`,
      [[state.event, exact(item.cell.count)], ...item.cell.stages.map(([stage, count]) => [`– ${stage}`, exact(count)])]));
    return { height: Math.max(layout.height, 60), option };
  };
}

function cellsOf(data, counts, rows, layers, filter) {
  const cells = [];
  data.ops.forEach((op, index) => {
    if (filter && !op.name.toLowerCase().includes(filter)) return;
    const entry = counts.get(index) ?? { total: 0, stages: [] };
    cells.push({ name: op.name, x: layers.indexOf(op.layer), y: rows.indexOf(op.row), count: entry.total,
                 stages: entry.stages });
  });
  return cells;
}

/** The scale of the colours: some counts with their colour. */
export function eventScale(data, event, theme) {
  const largest = Math.max(0, ...data.variants.flatMap(
    (variant) => [...countsByOp(data, variant, event).values()].map((entry) => entry.total)));
  if (largest === 0) return [];
  const steps = [];
  for (let count = 1; count < largest; count *= 10) steps.push(count);
  const thin = Math.ceil(steps.length / 6);
  return [{ label: '0', color: theme.empty }, ...[...steps.filter((_, index) => index % thin === 0), largest].map((count) => (
    { label: brief(count), color: ramp(Math.log10(1 + count) / Math.log10(1 + largest), theme) }))];
}
