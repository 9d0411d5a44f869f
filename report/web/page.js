"use strict";

// Each figure is drawn as wide as it is shown, and anew when that changes.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const draw = new Map();
  for (const c of data.charts ?? []) draw.set(c.id, (host) => drawChart(host, c, data.dashes));
  for (const h of data.heats ?? []) {
    draw.set(h.id, (host) => drawHeat(host, h, data.viridis, [...document.querySelectorAll(`input[name="${CSS.escape(h.id)}-colours"]`)]));
  }
  const widths = new Map();
  const observer = new ResizeObserver((entries) => {
    for (const {target} of entries) {
      if (widths.get(target) === target.clientWidth || target.clientWidth === 0) continue;
      widths.set(target, target.clientWidth);
      tip.hide();
      draw.get(target.dataset.figure)(target);
    }
  });
  for (const host of document.querySelectorAll("[data-figure]")) observer.observe(host);

  const all = document.getElementById("tables");
  all.hidden = false;
  all.addEventListener("click", () => {
    const details = [...document.querySelectorAll("details")];
    const open = !details.every((d) => d.open);
    for (const d of details) d.open = open;
    all.textContent = open ? "Close all tables" : "Open all tables";
  });
})();
