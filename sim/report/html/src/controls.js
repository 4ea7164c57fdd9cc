// What the reader can choose: the kind of event, and a filter over the names of ops.

/** A group of radio buttons; `choose` is called with the chosen value. */
export function radioGroup(name, title, values, chosen, choose) {
  const group = document.createElement('fieldset');
  group.className = 'switch';
  group.appendChild(document.createElement('legend')).textContent = title;
  for (const value of values) {
    const label = group.appendChild(document.createElement('label'));
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

/** Colours with what they stand for, after a title. */
export function legend(title, entries) {
  const list = document.createElement('ul');
  list.className = 'legend';
  if (title) list.appendChild(document.createElement('li')).textContent = title;
  for (const { label, color } of entries) {
    const item = list.appendChild(document.createElement('li'));
    item.appendChild(document.createElement('i')).style.background = color;
    item.append(label);
  }
  return list;
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
