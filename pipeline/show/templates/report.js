"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const theme = document.getElementById("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const nameTheme = () => {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", `${theme.textContent} colours`);
  };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  prefersDark.addEventListener("change", nameTheme);
  nameTheme();

  // On paper nothing can be opened: all of it is, and what was shut is shut again.
  let shut = [];
  addEventListener("beforeprint", () => {
    shut = [...document.querySelectorAll("details:not([open])")];
    for (const one of shut) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of shut) one.open = false;
  });

  // Rows without the value, such as variants that failed, stay below in either direction.
  const valueOf = (row, key) => {
    const cell = [...row.cells].find((one) => one.dataset.key === key);
    const text = cell ? cell.dataset.value : "";
    if (text === "" || text === undefined) return null;
    return Number.isNaN(Number(text)) || key === "name" || key === "class" ? text : Number(text);
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  const sortBy = (table, heading) => {
    const up = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row, valueOf(row, heading.dataset.key)]);
    rows.sort(([, a], [, b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return up ? compare(a, b) : compare(b, a);
    });
    body.append(...rows.map(([row]) => row));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sortBy(table, heading));
    }
  }

  const enlarged = document.getElementById("enlarged");
  const large = enlarged.querySelector("img");
  for (const zoom of document.querySelectorAll(".zoom")) {
    const small = zoom.querySelector("img");
    zoom.addEventListener("click", () => {
      large.src = small.src;
      large.alt = small.alt;
      enlarged.showModal();
    });
  }
  enlarged.querySelector("button").addEventListener("click", () => enlarged.close());
  enlarged.addEventListener("click", (event) => {
    if (event.target === enlarged) enlarged.close();
  });
})();
