// Curves over the last five minutes, as SVG. No library, no canvas: sharp at any size, and styled by console.css.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes and children. */
function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** The next round number above a value. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}

/**
 * A chart in `place`.
 * - `series`: [{ name, label, of(beat) }], drawn in this order; `stacked`: each upon the one before.
 * - `format(value)`: a value with its unit. `least`: how high the scale is at least.
 * - `title`: what a screen reader calls it; `summary(beats)` says what is to be seen.
 */
class Chart {
  static SPAN_MS = 300_000;

  constructor(place, options) {
    this.place = place;
    this.options = options;
    this.beats = [];
    this.svg = svg("svg", { role: "img" });
    this.tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
    this.tip.setAttribute("aria-hidden", "true");
    place.append(this.svg, this.tip);
    this.pointer = null;
    place.addEventListener("pointermove", (event) => { this.pointer = event.clientX; this.draw(); });
    place.addEventListener("pointerleave", () => { this.pointer = null; this.draw(); });
    new ResizeObserver(() => this.draw()).observe(place);
  }

  show(beats) {
    this.beats = beats;
    const { title, summary } = this.options;
    // Read only when somebody goes there: it is no live region.
    this.svg.setAttribute("aria-label", `${title}. ${summary(beats)}`);
    this.draw();
  }

  draw() {
    const width = this.place.clientWidth, height = this.place.clientHeight;
    if (width === 0 || height === 0) return;
    const { series, stacked, format, least } = this.options;
    const left = 46, right = 8, top = 8, bottom = 22;
    const end = this.beats.length > 0 ? this.beats[this.beats.length - 1].at_ms : Date.now();
    const x = (at) => width - right - ((end - at) / Chart.SPAN_MS) * (width - left - right);
    const values = this.beats.map((beat) => series.map((one) => one.of(beat)));
    const reach = (of) => (stacked ? of.reduce((sum, value) => sum + value, 0) : Math.max(...of));
    const most = roundUp(Math.max(least, ...values.map(reach)));
    const y = (value) => height - bottom - (value / most) * (height - top - bottom);
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      const at = y(most * share);
      parts.push(svg("line", { class: "grid", x1: left, x2: width - right, y1: at, y2: at }));
      parts.push(svg("text", { class: "label", x: left - 8, y: at + 4, "text-anchor": "end" }, format(most * share)));
    }
    const [minutes, words] = width < 480 ? [[5, 3, 1], "min"] : [[5, 4, 3, 2, 1], "min ago"];
    for (const ago of minutes) {
      const anchor = ago === 5 ? "start" : "middle";
      parts.push(svg("text", { class: "label", x: x(end - ago * 60_000), y: height - 5, "text-anchor": anchor }, `${ago} ${words}`));
    }
    parts.push(svg("text", { class: "label", x: width - right, y: height - 5, "text-anchor": "end" }, "now"));
    const floor = this.beats.map(() => 0);
    const drawn = series.map((one, place) => {
      const group = svg("g");
      for (const [from, to] of this.runs(one)) {
        const points = [], below = [];
        for (let at = from; at < to; at += 1) {
          const value = values[at][place] + (stacked ? floor[at] : 0);
          points.push(`${x(this.beats[at].at_ms).toFixed(1)},${y(value).toFixed(1)}`);
          below.unshift(`${x(this.beats[at].at_ms).toFixed(1)},${y(floor[at]).toFixed(1)}`);
          if (stacked) floor[at] = value;
        }
        if (stacked) group.append(svg("polygon", { class: `area fill-${one.name}`, points: [...points, ...below].join(" ") }));
        // A line along the floor says nothing.
        if (!stacked || place === 0 || values.some((of) => of[place] > 0)) {
          // A single point is drawn as a dot.
          if (points.length === 1) points.push(points[0]);
          group.append(svg("polyline", { class: `line line-${one.name}`, points: points.join(" ") }));
        }
      }
      return group;
    });
    // The first in front: what is most asked for.
    parts.push(...drawn.reverse());
    parts.push(...this.pointed(x, left, width, height - bottom, top));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren(...parts);
  }

  /** Stretches of beats that follow one another: where the line was broken, or nothing is known, is a gap, not a slope. */
  runs(one) {
    const runs = [], known = (beat) => this.options.stacked || one.of(beat) > 0;
    this.beats.forEach((beat, at) => {
      if (!known(beat)) return;
      const before = this.beats[at - 1];
      if (before && known(before) && beat.at_ms - before.at_ms < 4_000) runs[runs.length - 1][1] = at + 1;
      else runs.push([at, at + 1]);
    });
    return runs;
  }

  /** What is under the pointer. */
  pointed(x, left, width, floor, top) {
    this.tip.hidden = this.pointer === null || this.beats.length === 0;
    if (this.tip.hidden) return [];
    const at = this.pointer - this.place.getBoundingClientRect().left;
    const near = (one, other) => (Math.abs(x(one.at_ms) - at) <= Math.abs(x(other.at_ms) - at) ? one : other);
    const beat = this.beats.reduce(near);
    const { series, format } = this.options;
    const lines = series.map((one) => `${one.label}: ${format(one.of(beat))}`);
    this.tip.textContent = [new Date(beat.at_ms).toLocaleTimeString(), ...lines].join("\n");
    const place = x(beat.at_ms);
    const room = this.tip.offsetWidth + 12;
    this.tip.style.left = `${place + room > width ? Math.max(left, place - room) : place + 12}px`;
    return [svg("line", { class: "cross", x1: place, x2: place, y1: top, y2: floor })];
  }
}
