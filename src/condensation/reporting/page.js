"use strict";
// Sorting: a click on a column's name sorts its table, a second one turns the order round; what has no number stays last.
function value(row, column) {
  const number = row.cells[column].dataset.number;
  return number === undefined ? null : Number(number);
}
function compare(a, b, column, direction) {
  const x = value(a, column), y = value(b, column);
  if (x === null && y === null) return direction * a.cells[column].textContent.localeCompare(b.cells[column].textContent);
  if (x === null || y === null) return x === null ? 1 : -1;
  return direction * (x - y);
}
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const [first, second] = column > 1 ? ["descending", "ascending"] : ["ascending", "descending"];
    const order = head.getAttribute("aria-sort") === first ? second : first;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((a, b) => compare(a, b, column, order === "ascending" ? 1 : -1));
    body.append(...rows);
  }));
}
// Folded parts are printed too.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
