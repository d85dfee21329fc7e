// The keyboard, too, can scroll tables and code that are wider than their place.
function reachWide() {
  for (const wide of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code")) {
    if (wide.scrollWidth > wide.clientWidth) wide.setAttribute("tabindex", "0");
    else wide.removeAttribute("tabindex");
  }
}
window.addEventListener("load", reachWide);
window.addEventListener("resize", reachWide);

// A click on the head of a column sorts the rows of a table by it, the best first, then the other way round.
function sortable(table) {
  const value = (row, column) => row.cells[column].textContent.trim();
  const number = (text) => parseFloat(text.replace("−", "-").replaceAll(",", ""));
  table.querySelectorAll("th").forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((one, other) => {
        const [a, b] = [value(one, column), value(other, column)];
        const [x, y] = [number(a), number(b)];
        return Number.isNaN(x) || Number.isNaN(y) ? b.localeCompare(a) : y - x;
      });
      body.append(...(down ? rows : rows.reverse()));
    });
  });
}
window.addEventListener("load", () => document.querySelectorAll(".sortable table").forEach(sortable));
