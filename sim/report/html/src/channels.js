// Channels that hold outliers in many tokens, of one linear layer: in the fp32 forward, and at the array after rotation
// and smoothing. One pair of panels per variant.
import { exact, panelTitle, panels, percent, tip, tooltip } from './charts.js';

const sides = [['reference', 'fp32 forward'], ['array', 'at the array']];
const between = 16;

/** Layers of which some variant has such channels. */
export function channelLayers(data) {
  const has = (entry) => sides.some(([side]) => entry.channels[side].length > 0);
  return [...new Set(data.variants.flatMap((variant) => variant.outliers.filter(has).map((entry) => entry.op)))];
}

/** The layer with the channel that holds outliers in the largest share of tokens. */
export function worstLayer(data) {
  const entries = data.variants.flatMap((variant) => variant.outliers);
  return entries.sort((a, b) => largestShare(b) - largestShare(a))[0]?.op ?? '';
}

const shareOf = (entry, side, tokens) => 100 * tokens / Math.max(1, entry.tokens[side]);
const largestShare = (entry) => Math.max(0, ...sides.flatMap(([side]) => entry.channels[side].map(([, tokens]) => shareOf(entry, side, tokens))));

export function describeChannels(data, state) {
  return (width, theme) => {
    const all = data.variants.map((variant) => ({ variant, entry: variant.outliers.find((entry) => entry.op === state.layer) })).filter(({ entry }) => entry);
    const shown = all.filter(({ variant }) => !state.variant || variant.name === state.variant);
    const most = Math.min(100, 10 * Math.ceil(Math.max(1, ...all.map(({ entry }) => largestShare(entry))) / 10));
    const layout = panels(width, shown.map(({ variant }) => variant.name), { least: 440, height: 84, left: 52, top: 44, bottom: 44, gap: 32 });
    const option = { grid: [], xAxis: [], yAxis: [], series: [], title: [] };
    shown.forEach(({ variant, entry }, panel) => {
      const place = layout.places[panel];
      const each = (place.width - between) / 2;
      option.title.push(panelTitle(place.title, place.left, place.titleTop, theme));
      sides.forEach(([side, words], index) => {
        addSide(option, { ...place, left: place.left + index * (each + between), width: each, first: place.first && index === 0 },
                { variant: variant.name, entry, side, words, most, index }, theme);
      });
    });
    option.tooltip = tooltip(theme, ({ data: item }) => tip(`${state.layer}, ${item.variant}`, [
      ['channel', String(item.channel)], ['tokens with an outlier', exact(item.tokens)], ['of the tokens', percent(item.tokens, item.all)]], item.words));
    return { height: Math.max(60, layout.height), option };
  };
}

function addSide(option, place, { variant, entry, side, words, most, index }, theme) {
  const grid = option.grid.length;
  const channels = entry.channels[side];
  const count = entry.channel_outliers[side];
  const rest = count > channels.length ? `, ${channels.length} of ${exact(count)}` : '';
  option.title.push(panelTitle(count === 0 ? `${words}: none` : `${words}${rest}`, place.left, place.top - 20, theme,
                               { textStyle: { fontSize: 12, fontWeight: 400, color: theme.muted } }));
  option.grid.push({ left: place.left, top: place.top, width: place.width, height: place.height });
  option.xAxis.push({ gridIndex: grid, type: 'category', data: channels.map(([channel]) => String(channel)), axisTick: { show: false },
                      axisLine: { lineStyle: { color: theme.rule } }, axisLabel: { color: theme.muted, rotate: 90, interval: 0, fontSize: 11, margin: 4 } });
  option.yAxis.push({ gridIndex: grid, type: 'value', min: 0, max: most, interval: most / 2, splitLine: { lineStyle: { color: theme.rule } },
                      axisLabel: { show: place.first, color: theme.muted, formatter: '{value} %' } });
  option.series.push({
    type: 'bar', xAxisIndex: grid, yAxisIndex: grid, barMaxWidth: 14,
    itemStyle: index === 0 ? { color: theme.page, borderColor: theme.text, borderWidth: 1.2 } : { color: theme.series[1] },
    data: channels.map(([channel, tokens]) => ({ value: shareOf(entry, side, tokens), channel, tokens, all: entry.tokens[side], words, variant })) });
}
