// The rules room with scripts: finding as one types, and printing. Without them the same form asks the server.
"use strict";
(() => {
  const print = document.querySelector("[data-print]");
  if (print) print.addEventListener("click", () => window.print());

  const words = document.querySelector("[data-filter]");
  const table = document.querySelector("table.rt");
  if (!words || !table) return;
  const type = document.getElementById("f-type");
  const nothing = document.querySelector("[data-nothing]");
  const told = new Map([...table.querySelectorAll("tr.r")].map((row) => [row, row.textContent.toLowerCase()]));
  const find = () => {
    const wanted = words.value.trim().toLowerCase();
    let any = false;
    for (const group of table.querySelectorAll("tbody")) {
      const here = !type.value || group.dataset.group === type.value;
      let found = false;
      for (const row of group.querySelectorAll("tr.r")) {
        row.hidden = !(here && told.get(row).includes(wanted));
        found = found || !row.hidden;
      }
      group.hidden = !found;
      any = any || found;
    }
    nothing.hidden = any;
  };
  words.addEventListener("input", find);
  type.addEventListener("change", find);
})();
