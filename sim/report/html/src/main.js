// Brings the page to life: draws the charts, folds tables away, and follows the reader's choices.
import { describeBathtub } from './bathtub.js';
import { Chart } from './charts.js';
import { filterField, legend, radioGroup, selectField } from './controls.js';
import { describeCycles, states } from './cycles.js';
import { describeError } from './error.js';
import { describeEvents, eventScale, offeredEvents } from './events.js';
import { describeExponents, normNames, tightestNorm } from './exponents.js';
import { describeOutliers } from './outliers.js';
import { addSweep } from './sweep.js';
import { filterRows, makeSortable } from './tables.js';
import { currentTheme } from './theme.js';

const data = JSON.parse(document.getElementById('data').textContent);
const state = { variant: '', filter: '', event: '', norm: data.variants ? tightestNorm(data) : '' };
const charts = [];
let theme = currentTheme();

/** The place of a chart, if the page has it; `above` goes before it. */
function place(name, describe, ...above) {
  const element = document.querySelector(`[data-chart="${name}"]`);
  if (!element) return null;
  element.before(...above);
  charts.push(new Chart(element, describe));
  return element;
}

function drawAll(width) {
  for (const chart of charts) chart.draw(theme, width);
  if (drawSweep) drawSweep(theme, width);
  const scale = document.querySelector('.scale');
  if (scale) {
    const entries = eventScale(data, state.event, theme);
    scale.replaceChildren(entries.length ? legend(state.event, entries) : `No ${state.event} in any variant.`);
  }
  const bars = document.querySelector('.bars');
  if (bars) bars.replaceChildren(legend('', [{ label: 'squares', color: theme.series[0] },
                                             { label: 'sums of squares', color: theme.series[1] }]));
  const stateLegend = document.querySelector('.states');
  if (stateLegend) stateLegend.replaceChildren(legend('', states.map(([key, label]) => ({ label, color: theme.state[key] }))));
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
  const scale = document.createElement('div');
  scale.className = 'scale';
  const events = offeredEvents(data);
  const any = (event) => data.variants.some((variant) => variant.events.some(([, kind]) => data.events[kind] === event));
  state.event = events.find(any) ?? events[0];
  const choice = radioGroup('event', 'Event', events, state.event, (event) => { state.event = event; drawAll(); });
  place('events', describeEvents(data, state), choice, filterField(chooseFilter), scale);
}

function addExponents() {
  const bars = document.createElement('div');
  bars.className = 'bars';
  const choice = selectField('Norm', normNames(data), state.norm, (norm) => { state.norm = norm; drawAll(); });
  place('exponents', describeExponents(data, state), choice, bars);
}

function addCycles() {
  const names = document.createElement('div');
  names.className = 'states';
  place('cycles', describeCycles(data, state), names);
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
  const paperWidth = 700;
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
  addExponents();
  const bathtubs = data.bathtub.map((norm) => norm.op);
  place('bathtub', describeBathtub(data, state),
        selectField('Norm', bathtubs, state.norm, (norm) => { state.norm = norm; drawAll(); }));
  place('outliers', describeOutliers(data, state));
  place('error', describeError(data, state));
  addCycles();
  const opDetails = document.querySelector('#ops details');
  if (opDetails) opDetails.before(filterField(chooseFilter));
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
