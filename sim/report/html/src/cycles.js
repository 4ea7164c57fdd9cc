// Where each unit's cycles went: busy, stalls by reason, idle; one panel per variant.
import { exact, panelTitle, panels, percent, tip, tooltip } from './charts.js';
import { ink } from './theme.js';

export const states = [['busy', 'busy'], ['input_stall', 'input stall'], ['output_stall', 'output stall'],
                       ['token_wait', 'token wait'], ['idle', 'idle']];

const leastShare = 0.015;

/** Reasons too short to see become one segment that says how many they are. */
function visible(segments, total) {
  const large = segments.filter((segment) => segment.cycles >= leastShare * total);
  const small = segments.filter((segment) => segment.cycles < leastShare * total);
  if (small.length < 2) return segments;
  const cycles = small.reduce((sum, segment) => sum + segment.cycles, 0);
  return [...large, { state: small[0].state, on: `${small.length} reasons below 1.5 % each`, short: '', cycles }];
}

/** [{state, on, cycles}] of a unit, in the order of the bar. */
function segmentsOf(unit, total) {
  const segments = [{ state: 'busy', on: '', cycles: unit.busy }];
  for (const [state] of states) {
    const stalls = unit.stalls.filter(([stallState]) => stallState === state);
    segments.push(...visible(stalls.map(([, on, cycles]) => ({ state, on, short: on.split(' ').pop(), cycles })), total));
  }
  segments.push({ state: 'idle', on: '', cycles: unit.idle });
  return segments.filter((segment) => segment.cycles > 0);
}

export function describeCycles(data, state) {
  const words = Object.fromEntries(states);
  return (width, theme) => {
    const variants = data.variants.filter((variant) => !state.variant || variant.name === state.variant);
    const layout = panels(width, variants.map((variant) => variant.name), { least: 270, height: 30 * data.units.length, left: 56, top: 26, bottom: 34, gap: 56, right: 22 });
    const option = { grid: [], xAxis: [], yAxis: [], series: [], title: [] };
    variants.forEach((variant, panel) => {
      const place = layout.places[panel];
      option.title.push(panelTitle(place.title, place.left, place.titleTop, theme));
      option.grid.push({ left: place.left, top: place.top, width: place.width, height: place.height });
      option.xAxis.push({ gridIndex: panel, type: 'value', min: 0, max: 100,
                          axisLabel: { color: theme.muted, formatter: '{value} %' },
                          splitLine: { lineStyle: { color: theme.rule } } });
      option.yAxis.push({ gridIndex: panel, type: 'category', data: data.units, inverse: true,
                          axisTick: { show: false }, axisLine: { show: false },
                          axisLabel: { show: place.first, color: theme.text } });
      const bars = variant.units.map((unit) => segmentsOf(unit, variant.cycles));
      const most = Math.max(...bars.map((bar) => bar.length));
      for (let rank = 0; rank < most; ++rank) {
        option.series.push({
          type: 'bar', stack: `panel ${panel}`, xAxisIndex: panel, yAxisIndex: panel, barWidth: 20,
          data: bars.map((bar, unit) => barItem(bar[rank], data.units[unit], variant, place.width, theme)),
        });
      }
    });
    option.tooltip = tooltip(theme, ({ data: item }) => tip(
      `${item.unit}, ${item.variant}`, [[words[item.segment.state], percent(item.segment.cycles, item.total)],
                                        ['cycles', exact(item.segment.cycles)]], item.segment.on));
    return { height: layout.height, option };
  };
}

function barItem(segment, unit, variant, width, theme) {
  if (!segment) return { value: 0, itemStyle: { opacity: 0 } };
  const share = segment.cycles / Math.max(1, variant.cycles);
  const color = theme.state[segment.state];
  const candidates = segment.state === 'busy' ? [`${(100 * share).toFixed(0)} %`] : [segment.on, segment.short ?? ''];
  const text = candidates.find((candidate) => share * width > 6.2 * candidate.length + 8) ?? '';
  return { value: 100 * share, segment, unit, variant: variant.name, total: variant.cycles,
           itemStyle: { color, borderColor: theme.page, borderWidth: share * width > 3 ? 1 : 0 },
           label: { show: text !== '', formatter: text, color: ink(color), fontSize: 11 } };
}
