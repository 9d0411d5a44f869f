"use strict";

// drawHeat draws the heat map: rows n upwards, columns ℓ to the right. controls are the radio buttons that choose its colours.
function drawHeat(host, h, viridis, controls) {
  const width = Math.max(280, host.clientWidth);
  const plot = {left: 40, top: 26, right: width - 8};
  const cell = (plot.right - plot.left) / h.layers;
  plot.bottom = plot.top + Math.round(Math.min(560, (plot.right - plot.left) * 0.78));
  const row = (plot.bottom - plot.top) / h.layers;
  const height = plot.bottom + 40;
  const svg = d3.create("svg").attr("class", "chart heat").attr("viewBox", [0, 0, width, height]).attr("role", "group")
    .attr("aria-label", `${h.title}: a row for each n, a column for each first layer. Arrow keys go from block to block.`);
  host.replaceChildren(svg.node());

  // Turned round: a small distance is yellow.
  const shade = d3.scaleLinear(viridis.map((_, i) => 1 - i / (viridis.length - 1)), viridis).clamp(true);
  const all = h.distances.flat();
  const least = d3.min(all), greatest = d3.max(all);
  const x = (l) => plot.left + l * cell, y = (n) => plot.bottom - n * row;

  const layer = svg.append("g");
  const marks = [], at = new Map();
  h.distances.forEach((values, i) => values.forEach((d, l) => {
    const node = layer.append("rect").attr("class", "cell").attr("x", x(l)).attr("y", y(i + 1)).attr("width", cell + 0.3).attr("height", row + 0.3).node();
    const mark = {node, n: i + 1, l, text: textOf(h, i, l, d)};
    marks.push(mark);
    at.set(`${i + 1},${l}`, mark);
  }));
  drawChosen(svg, h, (l) => x(l + 0.5), (n) => y(n - 0.5), Math.max(1.5, Math.min(4.5, 0.32 * Math.min(cell, row))));

  const columns = d3.axisBottom(d3.scaleLinear([-0.5, h.layers - 0.5], [plot.left, plot.right])).tickSize(4).tickPadding(5);
  const rows = d3.axisLeft(d3.scaleLinear([0.5, h.layers + 0.5], [plot.bottom, plot.top])).tickSize(0).tickPadding(6);
  for (const axis of [columns, rows]) axis.ticks(Math.min(h.layers, 8)).tickFormat((v) => Number.isInteger(v) ? v : "");
  svg.append("g").attr("class", "axis bare").attr("transform", `translate(0,${plot.bottom})`).call(columns);
  svg.append("g").attr("class", "axis bare").attr("transform", `translate(${plot.left},0)`).call(rows);
  svg.append("text").attr("class", "axis-label").attr("x", 2).attr("y", 12).text("layers in the block, n");
  svg.append("text").attr("class", "axis-label").attr("x", plot.right).attr("y", height - 5).attr("text-anchor", "end").text("first layer of the block, ℓ");

  const ramp = drawRamp(svg, shade, plot);
  const colour = () => {
    const absolute = controls.some((c) => c.checked && c.value === "absolute");
    const value = absolute ? (m) => (h.distances[m.n - 1][m.l] - least) / (greatest - least || 1) : (m) => h.shades[m.n - 1][m.l];
    for (const m of marks) m.node.setAttribute("fill", shade(value(m)));
    ramp(...(absolute ? [least.toFixed(2), greatest.toFixed(2)] : ["least of its n", "greatest"]));
  };
  for (const c of controls) c.onchange = colour;
  colour();

  reach(svg.node(), marks, (px, py) => at.get(`${Math.ceil((plot.bottom - py) / row)},${Math.floor((px - plot.left) / cell)}`) ?? null, (m, key) => {
    switch (key) {
      case "ArrowRight": return at.get(`${m.n},${m.l + 1}`) ?? m;
      case "ArrowLeft": return at.get(`${m.n},${m.l - 1}`) ?? m;
      case "ArrowUp": return at.get(`${m.n + 1},${m.l}`) ?? m;
      case "ArrowDown": return at.get(`${m.n - 1},${m.l}`) ?? m;
      case "Home": return at.get(`${m.n},${Math.max(0, h.chosen[m.n - 1])}`);
    }
    return null;
  });
}

function textOf(h, i, l, d) {
  const n = i + 1;
  let text = `ℓ = ${l}, n = ${n}: ${n === 1 ? `layer ${l}` : `layers ${l} to ${l + n - 1}`}\ndistance ${d.toFixed(4)}`;
  if (h.chosen[i] === l) text += h.scored[i] ? "\nchosen by similarity, and scored" : "\nchosen by similarity";
  if (h.least[i] === l) text += "\nthe least of its n";
  return text;
}

// drawChosen puts a ring on the chosen block of each n, a full one where the sweep has scored it. A light one below keeps it
// visible on dark cells.
function drawChosen(svg, h, x, y, r) {
  const layer = svg.append("g").attr("class", "chosen");
  h.chosen.forEach((l, i) => {
    if (l < 0) return;
    layer.append("circle").attr("class", "halo").attr("cx", x(l)).attr("cy", y(i + 1)).attr("r", r);
    layer.append("circle").attr("class", h.scored[i] ? "full" : "open").attr("cx", x(l)).attr("cy", y(i + 1)).attr("r", r);
  });
}

// drawRamp draws the scale of colours in the corner where no block fits, and returns what names its ends.
function drawRamp(svg, shade, plot) {
  const width = Math.min(120, (plot.right - plot.left) * 0.3), left = plot.right - width - 2, top = plot.top + 18;
  const g = svg.append("g").attr("class", "ramp");
  for (let i = 0; i < 30; i++) {
    g.append("rect").attr("x", left + i * width / 30).attr("y", top).attr("width", width / 30 + 0.3).attr("height", 9).attr("fill", shade(i / 29));
  }
  const from = g.append("text").attr("x", left).attr("y", top - 5);
  const to = g.append("text").attr("x", left + width).attr("y", top + 22).attr("text-anchor", "end");
  return (low, high) => {
    from.text(low);
    to.text(high);
  };
}
