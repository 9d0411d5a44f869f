"use strict";

const percent = (v) => `${Math.round(v * 100)} %`;

// drawChart draws lines of points into an element, as wide as that is.
function drawChart(host, c, dashes) {
  const width = Math.max(260, host.clientWidth), height = Math.round(Math.max(220, Math.min(340, width * 0.62)));
  const plot = {left: 46, top: 26, right: width - 14, bottom: height - 40};
  const svg = d3.create("svg").attr("class", "chart").attr("viewBox", [0, 0, width, height]).attr("role", "group")
    .attr("aria-label", `${c.title}: ${c.y.label} against ${c.x.label}, ${c.lines.length} ${c.lines.length === 1 ? "line" : "lines"}. Arrow keys go from point to point.`);
  host.replaceChildren(svg.node());

  const x = d3.scaleLinear([c.x.low, c.x.high], [plot.left, plot.right]);
  const y = d3.scaleLinear([c.y.low, c.y.high], [plot.bottom, plot.top]);
  drawAxes(svg, c, x, y, plot);

  const taken = drawLevels(svg, c.levels ?? [], c.falls, y, plot);
  const marks = [];
  const layer = svg.append("g");
  c.lines.forEach((line, i) => {
    const g = layer.append("g").attr("class", `line ink${line.colour}`);
    const at = (p) => [x(p.x), y(Math.min(Math.max(p.y, c.y.low), c.y.high))];
    g.append("path").attr("class", "stroke").attr("d", d3.line()(line.points.map(at)))
      .attr("stroke-dasharray", dashes[line.dash].join(" ") || null);
    for (const p of line.points) {
      const [px, py] = at(p);
      if (p.error) g.append("path").attr("class", "error").attr("d", errorBar(px, y, p, c.y));
      if (p.mark) g.append("circle").attr("class", "ring").attr("cx", px).attr("cy", py).attr("r", 8);
      const node = g.append("path").attr("class", line.hollow ? "point hollow" : "point")
        .attr("d", d3.symbol(symbolOf(p, c.y), line.points.length > 30 ? 24 : 40)())
        .attr("transform", `translate(${px},${py})${p.y < c.y.low ? "rotate(180)" : ""}`).node();
      marks.push({node, text: p.text, x: px, y: py, line: i});
    }
  });
  labelMarks(svg, c, marks, taken, plot);
  placeLabels(svg.append("g"), c.lines.map((line, i) => ({
    label: line.label, ink: line.colour, spots: marks.filter((m) => m.line === i).map((m) => [m.x, m.y]),
  })), taken, plot);
  reach(svg.node(), marks, (px, py) => nearestMark(marks, px, py), (mark, key) => nextMark(marks, mark, key));
}

// symbolOf is a point's shape: a square where it was recorded elsewhere, an arrow where it is beyond the axis.
function symbolOf(p, axis) {
  if (p.y > axis.high || p.y < axis.low) return d3.symbolTriangle;
  return p.recorded ? d3.symbolSquare : d3.symbolCircle;
}

function errorBar(px, y, p, axis) {
  const low = y(Math.max(axis.low, Math.min(axis.high, p.y - p.error))), high = y(Math.max(axis.low, Math.min(axis.high, p.y + p.error)));
  return `M${px},${low}V${high}M${px - 2.5},${low}h5M${px - 2.5},${high}h5`;
}

function drawAxes(svg, c, x, y, plot) {
  const rows = y.ticks(5);
  svg.append("g").attr("class", "grid").selectAll("line").data(rows).join("line")
    .attr("x1", plot.left).attr("x2", plot.right).attr("y1", y).attr("y2", y);
  const bottom = d3.axisBottom(x).ticks(Math.max(3, Math.floor((plot.right - plot.left) / 70))).tickSize(4).tickPadding(5);
  if (c.x.percent) bottom.tickFormat(percent);
  const left = d3.axisLeft(y).tickValues(rows).tickSize(0).tickPadding(8);
  if (c.y.percent) left.tickFormat(percent);
  svg.append("g").attr("class", "axis").attr("transform", `translate(0,${plot.bottom})`).call(bottom);
  svg.append("g").attr("class", "axis bare").attr("transform", `translate(${plot.left},0)`).call(left);
  fit(svg.append("text").attr("class", "axis-label").attr("x", 2).attr("y", 12).text(c.y.label), plot.right);
  fit(svg.append("text").attr("class", "axis-label").attr("x", plot.right).attr("y", plot.bottom + 34).attr("text-anchor", "end").text(c.x.label), plot.right);
}

// fit shortens a text that is too wide.
function fit(text, width) {
  const node = text.node(), words = node.textContent;
  for (let n = words.length - 1; n > 0 && node.getComputedTextLength() > width; n--) node.textContent = `${words.slice(0, n)}…`;
}

// drawLevels draws the lines to compare with. The unpruned model's label stands at the far end, where the lines have gone away
// from it, the other's at the near one. It returns the labels' boxes.
function drawLevels(svg, levels, falls, y, plot) {
  const boxes = [];
  for (const level of levels) {
    const at = y(level.value);
    const g = svg.append("g").attr("class", "level");
    g.append("line").attr("x1", plot.left).attr("x2", plot.right).attr("y1", at).attr("y2", at);
    const above = Boolean(level.start) === falls;
    const text = g.append("text").attr("x", level.start ? plot.right : plot.left + 4).attr("y", above ? at - 5 : at + 14)
      .attr("text-anchor", level.start ? "end" : "start").text(level.label);
    const size = text.node().getBBox();
    boxes.push({left: size.x, top: size.y, right: size.x + size.width, bottom: size.y + size.height});
    boxes.push({left: plot.left, top: at - 1, right: plot.right, bottom: at + 1});
  }
  return boxes;
}

// labelMarks writes beside each ring what it marks, on the side that has more room; nothing where there is none.
function labelMarks(svg, c, marks, taken, plot) {
  const points = c.lines.flatMap((line) => line.points);
  const layer = svg.append("g");
  marks.forEach((m, i) => {
    if (points[i].mark) taken.push({left: m.x - 8, top: m.y - 8, right: m.x + 8, bottom: m.y + 8});
  });
  points.forEach((p, i) => {
    if (!p.mark) return;
    const m = marks[i];
    const text = layer.append("text").attr("class", `label ink${c.lines[m.line].colour}`).text(p.mark);
    const width = text.node().getComputedTextLength();
    const sides = [[m.x + 12, m.y + 4], [m.x - 12 - width, m.y + 4], [m.x + 8, m.y - 12], [m.x + 8, m.y + 21], [m.x - 8 - width, m.y - 12], [m.x - 8 - width, m.y + 21]];
    const free = ([left, base]) => {
      const box = {left, top: base - 12, right: left + width, bottom: base + 3};
      if (left < plot.left || box.right > plot.right) return -1;
      if (taken.some((t) => t.left < box.right && t.right > left && t.top < box.bottom && t.bottom > box.top)) return -1;
      return Math.min(...marks.filter((o) => o !== m).map((o) => gapTo(box, [o.x, o.y])), 40);
    };
    const best = sides.reduce((most, s) => free(s) > free(most) + 1 ? s : most);
    if (free(best) < 0) {
      text.remove();
      return;
    }
    const [left, base] = best;
    text.attr("x", left).attr("y", base);
    taken.push({left, top: base - 12, right: left + width, bottom: base + 3});
  });
}

// nearestMark is the mark under the pointer, or near it.
function nearestMark(marks, x, y) {
  let best = null, least = 32;
  for (const m of marks) {
    const d = Math.hypot(m.x - x, m.y - y);
    if (d < least) [best, least] = [m, d];
  }
  return best;
}

// nextMark goes along a line with left and right, and to another line's nearest point with up and down.
function nextMark(marks, mark, key) {
  const own = marks.filter((m) => m.line === mark.line), at = own.indexOf(mark);
  switch (key) {
    case "ArrowRight": return own[Math.min(own.length - 1, at + 1)];
    case "ArrowLeft": return own[Math.max(0, at - 1)];
    case "Home": return own[0];
    case "End": return own[own.length - 1];
    case "ArrowUp": case "ArrowDown": {
      const lines = Math.max(...marks.map((m) => m.line)) + 1;
      const line = (mark.line + (key === "ArrowDown" ? 1 : lines - 1)) % lines;
      const others = marks.filter((m) => m.line === line);
      return others.reduce((best, m) => Math.abs(m.x - mark.x) < Math.abs(best.x - mark.x) ? m : best);
    }
  }
  return null;
}
