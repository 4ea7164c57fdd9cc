// Brings the page to life: draws the charts, folds tables away, and follows the reader's choices.
import { describeBathtub, shownBathtub, tokenEvents } from './bathtub.js';
import { channelLayers, describeChannels, worstLayer } from './channels.js';
import { Chart } from './charts.js';
import { controls, filterField, legend, radioGroup, selectField } from './controls.js';
import { describeCycles, states } from './cycles.js';
import { describeError, errorLegend } from './error.js';
import { describeEvents, eventScale, isPresent, offeredEvents } from './events.js';
import { describeExponents, normNames, rangeShades, tightestNorm } from './exponents.js';
import { describeOutliers } from './outliers.js';
import { addSweep } from './sweep.js';
import { filterRows, makeSortable } from './tables.js';
import { currentTheme, dashes } from './theme.js';

const data = JSON.parse(document.getElementById('data').textContent);
const state = { variant: '', filter: '', event: '', norm: data.variants ? tightestNorm(data) : '', layer: data.variants ? worstLayer(data) : '' };
const charts = [];
const legends = [];
let theme = currentTheme();

/** The place of a chart, if the page has it; `above` goes before it. */
function place(name, describe, ...above) {
  const element = document.querySelector(`[data-chart="${name}"]`);
  if (!element) return;
  element.before(...above);
  charts.push(new Chart(element, describe));
}

/** What `content(theme)` makes, made again with every drawing once it has its place. */
function legendOf(content) {
  const element = document.createElement('div');
  element.className = 'scale';
  legends.push({ element, content });
  return element;
}

function drawAll(width) {
  for (const chart of charts) chart.draw(theme, width);
  if (drawSweep) drawSweep(theme, width);
  for (const { element, content } of legends) {
    if (element.isConnected) element.replaceChildren(content(theme));
  }
}

function chooseVariant(name) {
  state.variant = name;
  for (const element of document.querySelectorAll('[data-variant]')) {
    element.hidden = name !== '' && element.dataset.variant !== name;
  }
  drawAll();
}

function chooseFilter(filter) {
  state.filter = filter;
  for (const field of document.querySelectorAll('.filter input')) {
    if (field.value.trim().toLowerCase() !== filter) field.value = filter;
  }
  for (const table of document.querySelectorAll('#events table, #ops table, #exponents table, #outliers table')) filterRows(table, filter);
  drawAll();
}

function addEvents() {
  const events = offeredEvents(data);
  const present = events.filter((event) => isPresent(data, event));
  state.event = present[0] ?? events[0];
  const choice = radioGroup('event', 'Event', events, state.event, (event) => { state.event = event; drawAll(); },
                            events.filter((event) => !present.includes(event)));
  place('events', describeEvents(data, state), controls(choice, filterField(chooseFilter)), legendOf((colors) => {
    const entries = eventScale(data, state.event, colors);
    return entries.length ? legend(state.event, entries) : `No ${state.event} in any variant.`;
  }));
}

function addNorms() {
  const choose = (norm) => {
    state.norm = norm;
    for (const list of lists) list.querySelector('select').value = norm;
    drawAll();
  };
  const lists = [normNames(data), data.bathtub.map((norm) => norm.op)].map((names) => controls(selectField('Norm', names, state.norm, choose)));
  place('exponents', describeExponents(data, state), lists[0], legendOf((colors) => legend(state.norm, [
    { label: 'squares', color: colors.series[0] }, { label: 'sums of squares', color: colors.series[1] },
    ...Object.entries(rangeShades).map(([numbers, opacity]) => (
      { label: `${numbers} numbers of the accumulator`, color: `color-mix(in srgb, ${colors.muted} ${100 * opacity}%, transparent)` }))])));
  place('bathtub', describeBathtub(data, state), lists[1], legendOf((colors) => legend(shownBathtub(data, state).op, [
    { label: 'error', color: colors.series[0], shape: 0, line: 'solid' },
    ...tokenEvents.map((name, index) => ({ label: `tokens with ${name}`, color: colors.series[1 + index], shape: 0, line: dashes[index] }))])));
}

function addOutliers() {
  const marks = (colors) => [{ label: 'fp32 forward', color: colors.text, shape: 0, hollow: true },
                             { label: 'at the array', color: colors.series[1], shape: 0 }];
  place('outliers', describeOutliers(data, state), legendOf((colors) => legend('', marks(colors))));
  place('channels', describeChannels(data, state),
        controls(selectField('Layer', channelLayers(data), state.layer, (layer) => { state.layer = layer; drawAll(); })),
        legendOf((colors) => legend(state.layer, marks(colors))));
}

function followScreen() {
  let width = document.documentElement.clientWidth;
  let pending = 0;
  window.addEventListener('resize', () => {
    if (document.documentElement.clientWidth === width) return;
    width = document.documentElement.clientWidth;
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => drawAll());
  });
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    theme = currentTheme();
    drawAll();
  });
}

/** On paper: light colours and the paper's width; of the tables those that the reader has opened. */
function followPrinter() {
  const paperWidth = 680;  // of A4 and Letter without the margins of the style sheet, in pixels
  window.addEventListener('beforeprint', () => {
    theme = currentTheme(true);
    drawAll(paperWidth);
  });
  window.addEventListener('afterprint', () => {
    theme = currentTheme();
    drawAll();
  });
}

function addReplay() {
  addEvents();
  addNorms();
  addOutliers();
  place('error', describeError(data, state), legendOf((colors) => legend('', errorLegend(data, colors))));
  place('cycles', describeCycles(data, state),
        legendOf((colors) => legend('', states.map(([key, label]) => ({ label, color: colors.state[key] })))));
  const opDetails = document.querySelector('#ops details');
  if (opDetails) opDetails.before(controls(filterField(chooseFilter)));
}

document.documentElement.classList.add('scripted');
for (const details of document.querySelectorAll('details')) details.open = false;
for (const table of document.querySelectorAll('table.sortable')) makeSortable(table);
const variantSwitch = document.querySelector('fieldset.switch');
if (variantSwitch) {
  variantSwitch.hidden = false;
  variantSwitch.addEventListener('change', (event) => chooseVariant(event.target.value));
}
const sweep = document.querySelector('[data-chart="sweep"]');
const drawSweep = sweep ? addSweep(data.sweep, sweep, () => theme) : null;
if (!sweep) addReplay();
drawAll();
followScreen();
followPrinter();
