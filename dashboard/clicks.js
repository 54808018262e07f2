// Tells Python which point of the map was clicked and how the map was turned, and paints the clip in hand.
//
// Streamlit calls the default export again whenever `data` changes and does not clean up in between, so what must last
// (the camera, the listeners' targets) is kept on `window`, per chart. Without `window.Plotly` clicks still work; only
// the ring around the clip in hand and the lines to its neighbours are then missing.

const STILL_PX = 5; // a pointer that moved further than this has turned the map, not clicked
const NEAR_PX = 12; // a point counts as pointed at if the pointer was this near when the chart said so
const SETTLE_MS = 350; // the view is reported when it has rested this long
const LOOK_MS = 200; // how often a remounted chart is looked for
const SOUND_MS = 4000; // how long to wait for the player of a new clip

const charts = (window.serAtlasCharts ??= {});

export default function ({ data, setTriggerValue, setStateValue }) {
  const chart = (charts[data.chart] ??= { name: data.chart, played: data.sound.count });
  if (chart.map !== data.map) {
    chart.map = data.map;
    chart.view = null;
  }
  chart.data = data;
  chart.pick = (row) => setTriggerValue("pick", { map: data.map, row });
  chart.report = (view) => setStateValue("view", { map: data.map, ...view });
  chart.timer ??= setInterval(() => look(chart), LOOK_MS);
  look(chart);
  if (data.sound.count !== chart.played) {
    chart.played = data.sound.count;
    if (data.sound.on) play(data.sound.player);
  }
}

function look(chart) {
  const plot = document.querySelector(`.st-key-${chart.name} .js-plotly-plot`);
  if (!plot?._fullLayout || typeof plot.on !== "function") return;
  if (plot !== chart.plot) {
    chart.plot = plot;
    chart.hover = null;
    attach(chart, plot);
    restore(chart, plot);
  }
  seeThrough(plot);
  lay(chart);
  paint(chart); // Streamlit may have put the bare traces back
  lead(chart);
}

// What can be seen through can be pointed through: in 3-D plotly's pointer stops at every surface, also at one that has
// nothing to say, and would not find the points in it.
function seeThrough(plot) {
  for (const trace of Object.values(plot._fullLayout.scene?._scene?.traces ?? {}))
    if (trace.mesh && trace.data?.hoverinfo === "skip") trace.mesh.drawPick = null;
}

function attach(chart, plot) {
  let at = null; // the pointer, now
  let down = null; // the pointer, when it was pressed
  let moved = 0; // how far it has been from there since
  const move = (event) => {
    if (!plot.isConnected) return window.removeEventListener("pointermove", move, true);
    at = [event.clientX, event.clientY];
    if (down) moved = Math.max(moved, distance(down, at));
  };
  window.addEventListener("pointermove", move, true);
  const touch = () => Object.assign(chart, { touched: performance.now(), wish: null });
  for (const name of ["pointerdown", "wheel"]) plot.addEventListener(name, touch, { capture: true, passive: true });
  plot.addEventListener("pointerdown", (event) => {
    down = at = [event.clientX, event.clientY];
    moved = 0;
  }, true);
  // 3-D charts report clicks when the button goes down, before it is known whether the map is being turned: so the
  // point that was last pointed at is taken when the button comes up. They capture the pointer, hence `window`.
  const up = (event) => {
    if (!plot.isConnected) return window.removeEventListener("pointerup", up, true);
    const pressed = down;
    down = null;
    if (!pressed || event.button !== 0 || event.target.closest?.(".legend, .modebar")) return;
    const now = [event.clientX, event.clientY];
    if (Math.max(moved, distance(pressed, now)) <= STILL_PX) setTimeout(() => choose(chart, now), 60);
  };
  window.addEventListener("pointerup", up, true);
  plot.on("plotly_hover", (event) => {
    const row = Number(event.points?.[0]?.customdata);
    chart.hover = Number.isInteger(row) ? { row, at } : null;
    if (chart.wanted && chart.hover && Date.now() - chart.wanted.since < 400) choose(chart, chart.wanted.at);
  });
  plot.on("plotly_unhover", () => (chart.hover = null));
  for (const name of ["plotly_relayout", "plotly_restyle", "plotly_legendclick", "plotly_legenddoubleclick"])
    plot.on(name, () => settle(chart));
}

function choose(chart, at) {
  const hover = chart.hover;
  if (!hover || !hover.at || distance(hover.at, at) > NEAR_PX) {
    chart.wanted = { at, since: Date.now() }; // the chart may be about to say what is there
    return;
  }
  chart.wanted = null;
  if (hover.row === chart.data.row && chart.data.sound.on) play(chart.data.sound.player);
  else chart.pick(hover.row);
}

function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

// ---- the view: camera or ranges, and what the legend hides

function settle(chart) {
  clearTimeout(chart.settling);
  chart.settling = setTimeout(() => {
    const view = seen(chart.plot);
    if (!view || JSON.stringify(view) === JSON.stringify(chart.view)) return;
    chart.view = view;
    chart.report(view);
  }, SETTLE_MS);
}

function seen(plot) {
  const layout = plot?._fullLayout;
  if (!layout) return null;
  const hidden = plot.data.filter((trace) => trace.visible === "legendonly").map((trace) => trace.name);
  const scene = layout.scene?._scene;
  if (scene) {
    const { eye, center } = scene.getCamera();
    return { camera: [eye.x, eye.y, eye.z, center.x, center.y, center.z].map(round), hidden };
  }
  const { xaxis, yaxis } = layout;
  return xaxis ? { camera: [...xaxis.range, ...yaxis.range].map(round), hidden } : null;
}

function round(value) {
  return Number(value.toFixed(3));
}

function restore(chart, plot) {
  const now = seen(plot);
  if (!chart.view || !now || !window.Plotly || JSON.stringify(now.camera) === JSON.stringify(chart.view.camera)) return;
  window.Plotly.relayout(plot, layoutOf(chart.view.camera));
}

function layoutOf(camera) {
  if (camera.length === 4) return { "xaxis.range": camera.slice(0, 2), "yaxis.range": camera.slice(2) };
  const [x, y, z, ...center] = camera;
  return { "scene.camera.eye": { x, y, z }, "scene.camera.center": { x: center[0], y: center[1], z: center[2] } };
}

// ---- a twin: another map of the same clips on the same axes, which looks from where this one does, at the same names

// The one that was touched last leads, also while plotly glides to rest after it.
function lead(chart) {
  const twin = charts[chart.data.twin];
  if (!twin?.plot?.isConnected || !chart.touched || chart.touched < (twin.touched ?? 0) || !window.Plotly) return;
  const [own, other] = [seen(chart.plot), seen(twin.plot)];
  const wish = JSON.stringify(own);
  if (!own || !other || twin.wish === wish || wish === JSON.stringify(other)) return;
  twin.wish = wish; // said once: ranges in 2-D may come out a little different
  const named = twin.plot.data.flatMap((trace, number) => (trace.showlegend === false ? [] : [number]));
  const off = (trace) => own.hidden.includes(trace.name);
  const at = named.filter((number) => off(twin.plot.data[number]) !== other.hidden.includes(twin.plot.data[number].name));
  const visible = at.map((number) => (off(twin.plot.data[number]) ? "legendonly" : true));
  const turned = layoutOf(own.camera);
  if (at.length) window.Plotly.update(twin.plot, { visible }, turned, at);
  else window.Plotly.relayout(twin.plot, turned);
}

// ---- what the page lays over the map: it goes into traces that the figure has empty

function lay({ plot, data }) {
  const there = data.over.map((part) => plot.data.findIndex((trace) => trace.meta === part.meta));
  if (!window.Plotly || !there.length || there.includes(-1)) return;
  const laid = JSON.stringify(data.over);
  const first = plot.data[there[0]];
  if (first.serAtlasLaid === laid) return;
  first.serAtlasLaid = laid;
  const style = { text: data.over.map((part) => part.text), showlegend: data.over.map((part) => part.legend) };
  data.over[0].at.forEach((_, axis) => (style["xyz"[axis]] = data.over.map((part) => part.at[axis])));
  const camera = plot._fullLayout.scene?._scene?.getCamera();
  window.Plotly.update(plot, style, camera ? { "scene.camera": camera } : {}, there);
}

// ---- the clip in hand

function paint({ plot, data }) {
  const find = (meta) => plot.data.findIndex((trace) => trace.meta === meta);
  const traces = [find("neighbours"), find("in hand")];
  if (!window.Plotly || traces.includes(-1)) return;
  const ink = getComputedStyle(document.querySelector(".stApp") ?? document.body).color;
  const painted = JSON.stringify([data.lines, data.ring, data.arrows, ink]);
  const ring = plot.data[traces[1]];
  if (ring.serAtlasPainted === painted) return;
  ring.serAtlasPainted = painted;
  const style = { "marker.color": [ink, ink], "line.color": [ink, ink] };
  ["x", "y", "z"].slice(0, data.ring.length || 3).forEach((name, axis) => {
    style[name] = [data.lines[axis] ?? [null], [data.ring[axis] ?? null]];
  });
  if (!plot._fullLayout.scene) delete style.z;
  const camera = plot._fullLayout.scene?._scene?.getCamera();
  const own = data.arrows.map((arrow) => ({ ...arrow, arrowcolor: ink, font: { ...arrow.font, color: ink } }));
  const arrows = [...own, ...pointer(data.ring, ink)];
  const layout = camera ? { "scene.camera": camera, "scene.annotations": arrows } : {};
  window.Plotly.update(plot, style, layout, traces);
}

// An arrow to the clip in hand: unlike the ring, it is drawn above all points, also those in front of the clip.
function pointer([x, y, z], ink) {
  if (z === undefined) return [];
  return [{ x, y, z, text: "", ax: 38, ay: -46, arrowcolor: ink, arrowhead: 2, arrowwidth: 2, standoff: 9 }];
}

function play(player) {
  const until = Date.now() + SOUND_MS;
  const attempt = () => {
    const audio = document.querySelector(`.st-key-${player} audio`);
    if (audio && audio.getAttribute("src")) {
      audio.currentTime = 0;
      audio.play().catch(() => {}); // a browser that wants a gesture first leaves the play button
    } else if (Date.now() < until) setTimeout(attempt, 50);
  };
  attempt();
}
