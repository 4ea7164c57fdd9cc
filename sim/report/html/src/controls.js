// What the reader can choose: the kind of event, and a filter over the names of ops.

import { shapes } from './theme.js';

/** A group of radio buttons; `choose` is called with the chosen value. Those in `faint` can be chosen but lead to nothing. */
export function radioGroup(name, title, values, chosen, choose, faint = []) {
  const group = document.createElement('fieldset');
  group.className = 'switch';
  group.appendChild(document.createElement('legend')).textContent = title;
  for (const value of values) {
    const label = group.appendChild(document.createElement('label'));
    label.classList.toggle('faint', faint.includes(value));
    const input = label.appendChild(document.createElement('input'));
    Object.assign(input, { type: 'radio', name, value, checked: value === chosen });
    label.appendChild(document.createElement('span')).textContent = value.replaceAll('_', ' ');
    input.addEventListener('change', () => choose(value));
  }
  return group;
}

export function filterField(choose) {
  const label = document.createElement('label');
  label.className = 'filter';
  label.append('Filter ops ');
  const input = label.appendChild(document.createElement('input'));
  Object.assign(input, { type: 'search', placeholder: 'such as mlp.down', autocomplete: 'off', spellcheck: false });
  input.addEventListener('input', () => choose(input.value.trim().toLowerCase()));
  return label;
}

/** Colours with what they stand for, after a title; with `shape`, an index of shapes, the mark of a chart, `hollow` or filled; with `line`, dashes, on a line. */
export function legend(title, entries) {
  const list = document.createElement('ul');
  list.className = 'legend';
  if (title) list.appendChild(document.createElement('li')).textContent = title;
  for (const { label, color, shape, hollow, line } of entries) {
    const item = list.appendChild(document.createElement('li'));
    if (shape === undefined) item.appendChild(document.createElement('i')).style.background = color;
    else item.appendChild(mark(shape, color, hollow, line));
    item.append(label);
  }
  return list;
}

function mark(shape, color, hollow, line) {
  const make = (name, attributes) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const image = make('svg', { viewBox: line ? '-11 -1 32 12' : '-1 -1 12 12', 'aria-hidden': 'true' });
  if (line) image.append(make('path', { d: 'M-11 5h32', fill: 'none', stroke: color, 'stroke-width': 2, 'stroke-dasharray': line === 'solid' ? 'none' : line.join(' ') }));
  image.append(make('path', { d: shapes[shape % shapes.length], fill: hollow ? 'none' : color, stroke: color, 'stroke-width': hollow ? 1.5 : 0 }));
  return image;
}

/** A row of controls. */
export function controls(...fields) {
  const row = document.createElement('div');
  row.className = 'controls';
  row.append(...fields);
  return row;
}

/** A list to choose one of many from. */
export function selectField(title, values, chosen, choose) {
  const label = document.createElement('label');
  label.className = 'filter';
  label.append(`${title} `);
  const select = label.appendChild(document.createElement('select'));
  for (const value of values) {
    const option = select.appendChild(document.createElement('option'));
    Object.assign(option, { value, textContent: value, selected: value === chosen });
  }
  select.addEventListener('change', () => choose(select.value));
  return label;
}
