"use strict";

// One box for the whole page shows what a person points at or focuses. It repeats the point's label, so it is not read aloud.
const tip = (() => {
  const box = document.createElement("div");
  box.className = "tip";
  box.hidden = true;
  box.setAttribute("aria-hidden", "true");
  return {
    show(mark) {
      if (!box.isConnected) document.body.append(box);
      box.replaceChildren(...mark.text.split("\n").map((line) => {
        const row = document.createElement("div");
        row.textContent = line;
        return row;
      }));
      box.hidden = false;
      const at = mark.node.getBoundingClientRect();
      const size = box.getBoundingClientRect();
      const room = document.documentElement.clientWidth;
      const left = Math.max(8, Math.min(room - size.width - 8, at.left + at.width / 2 - size.width / 2));
      const above = at.top - size.height - 10;
      box.style.left = `${left + scrollX}px`;
      box.style.top = `${(above > 4 ? above : at.bottom + 10) + scrollY}px`;
    },
    hide() { box.hidden = true; },
  };
})();

addEventListener("keydown", (e) => { if (e.key === "Escape") tip.hide(); });

// reach makes a figure's marks reachable: by pointer, the one that nearest(x, y) finds, and by keyboard, where the figure is one
// stop and next(mark, key) says where an arrow leads. A mark has a node and a text.
function reach(svg, marks, nearest, next) {
  if (marks.length === 0) return;
  let stop = marks[0];
  let active = null;
  const activate = (mark) => {
    if (active === mark) return;
    if (active) active.node.classList.remove("active");
    active = mark;
    if (!mark) return tip.hide();
    mark.node.classList.add("active");
    tip.show(mark);
  };
  for (const mark of marks) {
    mark.node.setAttribute("role", "img");
    mark.node.setAttribute("aria-label", mark.text.split("\n").join("; "));
    mark.node.setAttribute("tabindex", mark === stop ? "0" : "-1");
    mark.node.addEventListener("focus", () => {
      stop.node.setAttribute("tabindex", "-1");
      stop = mark;
      stop.node.setAttribute("tabindex", "0");
      activate(mark);
    });
    mark.node.addEventListener("blur", () => activate(null));
  }
  svg.addEventListener("keydown", (e) => {
    const to = next(stop, e.key);
    if (!to) return;
    e.preventDefault();
    to.node.focus();
  });
  const point = (e) => {
    const [x, y] = d3.pointer(e, svg);
    activate(nearest(x, y));
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", () => activate(null));
}
