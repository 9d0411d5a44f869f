"use strict";

// placeLabels writes each line's label beside one of its points, where it touches neither lines nor other labels and no other line
// could be meant. A line that leaves no such spot has its name in the key above the figures only.
//
// lines are {label, ink, spots: [[x, y], …]}; taken are boxes {left, top, right, bottom} that are not free.
function placeLabels(layer, lines, taken, bounds) {
  if (lines.length < 2) return;
  const trails = lines.map((line) => trail(line.spots));
  lines.forEach((line, own) => {
    const text = layer.append("text").attr("class", `label ink${line.ink}`).text(line.label);
    const width = text.node().getComputedTextLength();
    const best = spots(line, trails, own, width, taken, bounds);
    if (!best) {
      text.remove();
      return;
    }
    text.attr("x", best.left).attr("y", best.bottom - 4);
    taken.push(best);
  });
}

// trail is a line as points four pixels apart.
function trail(spots) {
  const points = spots.slice(0, 1);
  for (let i = 1; i < spots.length; i++) {
    const [x0, y0] = spots[i - 1], [x1, y1] = spots[i];
    const steps = Math.ceil(Math.hypot(x1 - x0, y1 - y0) / 4);
    for (let s = 1; s <= steps; s++) points.push([x0 + (x1 - x0) * s / steps, y0 + (y1 - y0) * s / steps]);
  }
  return points;
}

// spots finds the place that is farthest from the other lines and still near its own.
function spots(line, trails, own, width, taken, bounds) {
  const height = 15, gap = 7, clear = 14;
  let best = null, most = clear;
  for (const [x, y] of trails[own].filter((_, i) => i % 2 === 0)) {
    for (const [left, top] of [[x + gap, y - height], [x - gap - width, y - height], [x + gap, y], [x - gap - width, y], [x - width / 2, y - height - gap], [x - width / 2, y + gap]]) {
      const box = {left, top, right: left + width, bottom: top + height};
      if (left < bounds.left || box.right > bounds.right || top < bounds.top || box.bottom > bounds.bottom) continue;
      if (taken.some((t) => t.left < box.right + 4 && t.right > left - 4 && t.top < box.bottom + 2 && t.bottom > top - 2)) continue;
      if (trails[own].some((p) => gapTo(box, p) < 3)) continue;
      let free = 60;
      trails.forEach((points, other) => {
        if (other !== own) for (const p of points) free = Math.min(free, gapTo(box, p));
      });
      if (free > most) [best, most] = [box, free];
    }
  }
  return best;
}

// gapTo is how far a point is from a box.
function gapTo(box, [x, y]) {
  return Math.hypot(Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom));
}
