// Tables that can be sorted by a click or a key on a column's title, and filtered by the text of their rows' titles.

/** Digits with separators as a number; what is empty or no number goes last, whatever the direction. */
function keyOf(cell) {
  const text = cell.textContent.trim();
  const number = Number(text.replaceAll(',', ''));
  if (text === '' || text === '–') return null;
  return Number.isNaN(number) ? text : number;
}

function compare(a, b) {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}

function sortBy(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[column]) }));
  rows.sort((a, b) => {
    if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
    return descending ? compare(b.key, a.key) : compare(a.key, b.key);
  });
  body.append(...rows.map(({ row }) => row));
}

export function makeSortable(table) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener('click', () => {
      const numbers = header.classList.contains('n');
      const before = header.getAttribute('aria-sort');
      const descending = before ? before === 'ascending' : numbers;
      headers.forEach((other) => other.removeAttribute('aria-sort'));
      header.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      sortBy(table, column, descending);
    });
  });
}

/** Hides rows whose title does not contain `filter` (lower case). */
export function filterRows(table, filter) {
  for (const row of table.tBodies[0].rows) {
    row.classList.toggle('filtered', filter !== '' && !row.cells[0].textContent.toLowerCase().includes(filter));
  }
}
