// Points of a sweep: two figures against each other, coloured by a setting, with the Pareto front of what is shown.
import { Chart, axisName, brief, tip, tooltip } from './charts.js';
import { controls, legend, selectField } from './controls.js';
import { symbols } from './theme.js';

// Figures that a point has; other numbers are settings.
const measured = ['perplexity', 'reference_perplexity', 'sqnr_db', 'top1_agreement', 'cycles', 'macs', 'utilization', 'dram_bytes', 'energy_pj', 'area_um2',
                  'scratchpad_peak_bytes', 'accumulator_peak_bytes', 'overflow', 'underflow', 'saturated', 'invalid', 'flushed', 'swamped', 'inexact', 'clipped',
                  'zeroed', 'wrapped'];
const largerIsBetter = ['sqnr_db', 'top1_agreement', 'utilization'];
const mostColors = 12;

/** Figures to choose from, and settings with few enough values to colour by. */
export function columnsOf(sweep) {
  const values = sweep.columns.map((_, at) => new Set(sweep.rows.map((row) => row[at]).filter((cell) => cell !== null)));
  const figures = sweep.columns.filter((name, at) => name !== 'id' && values[at].size > 1 && [...values[at]].every((cell) => typeof cell === 'number'));
  const settings = sweep.columns.filter((name, at) => !measured.includes(name) && values[at].size > 1 && values[at].size <= mostColors);
  return { figures, settings };
}

const first = (wanted, names) => wanted.find((name) => names.includes(name)) ?? names[0];

export function firstChoice({ figures, settings }) {
  const x = first(['cycles', 'energy_pj'], figures);
  const y = first(['perplexity', 'sqnr_db', 'energy_pj'], figures.filter((name) => name !== x));
  const formats = settings.filter((name) => /format|activation|weight/.test(name));
  return { x, y, by: formats[0] ?? first(['variant'], settings), hidden: new Set() };
}

/** Rows with both figures whose setting is not hidden. */
function shownRows(sweep, choice) {
  const [x, y, by] = [choice.x, choice.y, choice.by].map((name) => sweep.columns.indexOf(name));
  return sweep.rows.filter((row) => row[x] !== null && row[y] !== null && !choice.hidden.has(String(row[by])))
    .map((row) => ({ row, x: row[x], y: row[y], by: by < 0 ? '' : String(row[by]) }));
}

/** Points that no other beats, by ascending x. */
export function front(points, choice) {
  const better = (name, value) => (largerIsBetter.includes(name) ? -value : value);
  const sorted = [...points].sort((a, b) => better(choice.x, a.x) - better(choice.x, b.x) || better(choice.y, a.y) - better(choice.y, b.y));
  let best = Infinity;
  let at = null;
  return sorted.filter((point) => {
    const y = better(choice.y, point.y);
    const same = at !== null && point.x === at.x && point.y === at.y;
    if (y >= best && !same) return false;
    best = y;
    at = point;
    return true;
  }).sort((a, b) => a.x - b.x);
}

function settingsOf(sweep, choice) {
  const at = sweep.columns.indexOf(choice.by);
  return at < 0 ? [] : [...new Set(sweep.rows.map((row) => String(row[at])))].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/** What tells points apart, beside their figures. */
function toldOf(sweep) {
  const varied = sweep.columns.filter((name, at) => name !== 'key' && sweep.rows.some((row) => row[at] !== sweep.rows[0][at]));
  const isDigest = (at) => sweep.rows.every((row) => row[at] === null || /^[0-9a-f]{64}$/.test(row[at]));
  return varied.filter((name) => !isDigest(sweep.columns.indexOf(name)) && !measured.includes(name)).slice(0, 10);
}

/** A cell as text: numbers with separators, fractions of a column with as many digits that its largest has six. */
function cellOf(sweep, point, name) {
  const at = sweep.columns.indexOf(name);
  const cell = point.row[at] ?? '–';
  if (typeof cell !== 'number') return String(cell);
  const numbers = sweep.rows.map((row) => row[at]).filter((other) => typeof other === 'number');
  const digits = numbers.every(Number.isInteger) ? 0 : Math.max(0, 5 - Math.floor(Math.log10(Math.max(1, ...numbers.map(Math.abs)))));
  return cell.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function describeSweep(sweep, choice) {
  const told = toldOf(sweep);
  return (width, theme) => {
    const points = shownRows(sweep, choice);
    const best = front(points, choice);
    const settings = settingsOf(sweep, choice);
    const axis = (name, where) => ({
      type: 'value', scale: true, ...axisName(name, where === 'x' ? 28 : 52, theme),
      axisLabel: { color: theme.muted, formatter: (value) => (Math.abs(value) >= 1e4 ? brief(value) : String(Number(value.toPrecision(4)))) },
      axisLine: { lineStyle: { color: theme.rule } }, splitLine: { lineStyle: { color: theme.rule } } });
    const series = settings.length ? settings : [''];
    return { height: 420, option: {
      grid: { left: 76, right: 20, top: 16, bottom: 48 },
      xAxis: axis(choice.x, 'x'), yAxis: axis(choice.y, 'y'),
      tooltip: tooltip(theme, ({ data: item }) => item?.point ? tip(
        `${choice.x} ${cellOf(sweep, item.point, choice.x)}, ${choice.y} ${cellOf(sweep, item.point, choice.y)}`,
        told.map((name) => [name, cellOf(sweep, item.point, name)]),
        best.includes(item.point) ? 'on the Pareto front' : '') : null),
      series: [
        ...series.map((setting, index) => ({
          type: 'scatter', name: setting, symbol: symbols[index % symbols.length], symbolSize: 8, z: 3,
          itemStyle: { color: theme.series[index % theme.series.length], opacity: 0.8 },
          data: points.filter((point) => point.by === setting || setting === '').map((point) => ({ value: [point.x, point.y], point })) })),
        { type: 'line', name: 'Pareto front', data: best.map((point) => [point.x, point.y]), symbol: 'circle', symbolSize: 14,
          silent: true, z: 2, lineStyle: { color: theme.text, width: 1.2 }, itemStyle: { color: theme.page, borderColor: theme.text, borderWidth: 1.2 } }] } };
  };
}

/** Checkboxes that hide points by the setting they are coloured by. */
function brush(sweep, choice, theme, redraw) {
  const group = document.createElement('fieldset');
  group.className = 'brush';
  group.appendChild(document.createElement('legend')).textContent = 'Shown';
  settingsOf(sweep, choice).forEach((setting, index) => {
    const label = group.appendChild(document.createElement('label'));
    const input = label.appendChild(document.createElement('input'));
    Object.assign(input, { type: 'checkbox', value: setting, checked: !choice.hidden.has(setting) });
    input.addEventListener('change', () => {
      choice.hidden[input.checked ? 'delete' : 'add'](setting);
      redraw();
    });
    label.append(legend('', [{ label: setting, color: theme.series[index % theme.series.length], shape: index }]));
  });
  return group;
}

/** The front as a table: its points by the figure across. */
function frontTable(sweep, choice) {
  const best = front(shownRows(sweep, choice), choice);
  const columns = [...toldOf(sweep), choice.x, choice.y];
  const table = document.createElement('table');
  const add = (row, tag, name, text) => {
    const cell = row.appendChild(document.createElement(tag));
    for (const part of text.split(/(?<=_)/)) cell.append(part, document.createElement('wbr'));  // long names fold
    if (columnsOf(sweep).figures.includes(name)) cell.className = 'n';
  };
  table.createCaption().textContent = `Pareto front of ${choice.x} and ${choice.y}: ${best.length} of ${shownRows(sweep, choice).length} points`;
  const head = table.createTHead().insertRow();
  for (const name of columns) add(head, 'th', name, name);
  const body = table.createTBody();
  for (const point of best) {
    const row = body.insertRow();
    for (const name of columns) add(row, 'td', name, cellOf(sweep, point, name));
  }
  return table;
}

/** Fills the page of a sweep; returns what draws its chart again with a theme. */
export function addSweep(sweep, element, getTheme) {
  const columns = columnsOf(sweep);
  const choice = firstChoice(columns);
  if (choice.x === undefined || choice.y === undefined) return () => {};
  const chart = new Chart(element, describeSweep(sweep, choice));
  const values = document.createElement('div');
  const best = document.createElement('div');
  best.className = 'scroll front';
  best.tabIndex = 0;
  const drawChart = (theme, width) => {
    chart.draw(theme, width);
    best.replaceChildren(frontTable(sweep, choice));
  };
  const draw = (theme, width) => {
    values.replaceChildren(choice.by ? brush(sweep, choice, theme, () => drawChart(getTheme())) : '');
    drawChart(theme, width);
  };
  const choose = (key) => (value) => {
    choice[key] = value;
    choice.hidden.clear();
    draw(getTheme());
  };
  const fields = [selectField('Across', columns.figures, choice.x, choose('x')), selectField('Up', columns.figures, choice.y, choose('y'))];
  if (choice.by) fields.push(selectField('Colour', columns.settings, choice.by, choose('by')));
  element.before(controls(...fields), values);
  element.after(best);
  return draw;
}
