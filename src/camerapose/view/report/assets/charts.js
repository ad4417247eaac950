// Curves of one person over time, with bands of one standard deviation and a mark at the time shown.

class Charts {
  constructor(element, data, player) {
    this.element = element;
    this.data = data;
    this.player = player;
    this.plots = [];
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(element);
    player.onChange((time) => this.mark(time));
  }

  /** Draw the curves of a person. */
  show(person) {
    this.plots.forEach((plot) => plot.destroy());
    this.element.replaceChildren();
    if (person.time.length < 2) return;
    this.plots = person.panels.map((panel) => this.plot(person, panel));
    this.mark(this.player.time);
  }

  plot(person, panel) {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = panel.title;
    figure.append(caption);
    this.element.append(figure);
    const { columns, series, bands } = columnsOf(person, panel, this.data);
    const label = () => this.label(plot);
    const plot = new lib.uPlot(
      {
        width: figure.clientWidth || 320,
        height: 190,
        series,
        bands,
        scales: { x: { time: false, range: () => [this.data.start, this.data.end] } },
        axes: [
          { font: "11px system-ui", size: 34, grid: { stroke: "#eef0f4" }, ticks: { show: false }, stroke: "#5c6370" },
          { font: "11px system-ui", size: 46, grid: { stroke: "#eef0f4" }, ticks: { show: false }, stroke: "#5c6370" },
        ],
        cursor: { drag: { x: false, y: false }, y: false, points: { size: 6 } },
        legend: { live: true, markers: { width: 2 } },
        hooks: { ready: [label], setCursor: [label] },
      },
      columns,
      figure,
    );
    plot.mark = document.createElement("div");
    plot.mark.className = "now";
    plot.over.append(plot.mark);
    plot.over.addEventListener("click", (event) => {
      const box = plot.over.getBoundingClientRect();
      this.player.seek(plot.posToVal(event.clientX - box.left, "x"));
    });
    return plot;
  }

  mark(time) {
    for (const plot of this.plots) {
      plot.mark.style.transform = `translateX(${plot.valToPos(time, "x")}px)`;
      this.label(plot);
    }
  }

  /** Show values at the time of the player, or at the mouse where it is on the curves. */
  label(plot) {
    if (plot.cursor.left < 0) plot.setLegend({ idx: plot.valToIdx(this.player.time) });
  }

  resize() {
    for (const plot of this.plots) {
      const width = plot.root.parentElement.clientWidth;
      if (width && Math.abs(width - plot.width) > 1) plot.setSize({ width, height: 190 });
    }
    this.mark(this.player.time);
  }
}

/** Return uPlot's columns: x, the curves, and the edges of their bands; null in gaps. */
function columnsOf(person, panel, data) {
  const rows = [];
  person.time.forEach((time, row) => {
    if (row && time - person.time[row - 1] > 1.5 * data.interval + 1e-6) rows.push(null);
    rows.push(row);
  });
  const column = (value) =>
    rows.map((row) => (row === null || !Number.isFinite(value(row)) ? null : value(row)));
  const x = rows.map((row, i) => (row === null ? (person.time[rows[i - 1]] + person.time[rows[i + 1]]) / 2 : person.time[row]));
  const columns = [x];
  const digits = panel.digits;
  const text = (u, value) => (value === null || value === undefined ? "–" : value.toFixed(digits));
  const seconds = data.unit === "seconds";
  const series = [{ label: seconds ? "time" : "frame", value: (u, value) =>
    value === null || value === undefined ? "–" : seconds ? `${value.toFixed(2)} s` : value.toFixed(0) }];
  const bands = [];
  for (const line of panel.lines) {
    columns.push(column((row) => line.values[row]));
    series.push({ label: line.name, stroke: line.color, width: 1.6, value: text, points: { show: false } });
  }
  for (const line of panel.lines.filter((line) => line.std)) {
    for (const sign of [1, -1]) {
      columns.push(column((row) => line.values[row] + sign * line.std[row]));
      series.push({ label: "", class: "edge", stroke: "transparent", width: 0, points: { show: false } });
    }
    bands.push({ series: [columns.length - 2, columns.length - 1], fill: `${line.color}2e` });
  }
  return { columns, series, bands };
}
