// Keeps a player and pictures together: while the sound plays, a ring moves along the path in each picture and a line
// through the time chart; a click in the time chart moves the player there.
//
// Ring and line lie over the charts and are moved alone: plotly draws nothing anew, so that playing costs little and
// cameras, zooms and pointers are left as they are. Streamlit calls the default export again whenever `data` changes
// and does not clean up in between, so all that must last is kept on `window`, per player. What plotly knows of its axes
// and camera is not documented: without it the marks are missing, and the player plays on.

const LOOK_MS = 200; // how often new charts and players are looked for
const AWAKE_MS = 600; // how long marks are kept in place after a chart was moved: plotly glides to rest

const follows = (window.serAtlasFollows ??= {});

export default function ({ data, parentElement }) {
  const one = (follows[data.player] ??= { marks: {}, awake: 0 });
  one.data = data;
  one.home = parentElement;
  one.timer ??= setInterval(() => look(one), LOOK_MS);
  look(one);
}

function look(one) {
  if (!one.home.isConnected) {
    clearInterval(one.timer);
    one.timer = null;
    Object.values(one.marks).forEach((mark) => mark.remove());
    return;
  }
  const audio = document.querySelector(`.st-key-${one.data.player} audio`);
  if (audio !== one.audio) {
    one.audio = audio;
    for (const name of ["play", "seeking", "seeked", "timeupdate", "loadedmetadata"])
      audio?.addEventListener(name, () => run(one));
  }
  for (const [chart, mark] of Object.entries(one.marks))
    if (!(chart in one.data.rings) && chart !== one.data.line) mark.remove();
  place(one);
}

// Moves the marks with every picture of the screen, as long as anything moves.
function run(one) {
  one.frame ??= requestAnimationFrame(function step() {
    place(one);
    const { audio } = one;
    const moving = audio?.isConnected && !audio.paused && !audio.ended;
    one.frame = moving || performance.now() < one.awake ? requestAnimationFrame(step) : null;
  });
}

function place(one) {
  const now = one.audio?.currentTime ?? 0;
  const { rings, line, times } = one.data;
  for (const [chart, path] of Object.entries(rings)) {
    const plot = found(one, chart);
    if (plot) draw(markOf(one, chart, plot), onPlot(plot, along(times, path, now)));
  }
  const plot = line && found(one, line);
  if (!plot) return;
  const mark = markOf(one, line, plot);
  const { t, h } = plot._fullLayout._size;
  mark.style.height = `${h}px`;
  draw(mark, [across(plot, now), t]);
}

function found(one, chart) {
  const plot = document.querySelector(`.st-key-${chart} .js-plotly-plot`);
  if (!plot?._fullLayout || typeof plot.on !== "function") return null;
  if (plot.serAtlasFollows !== one) {
    plot.serAtlasFollows = one;
    attach(one, chart, plot);
  }
  return plot;
}

function attach(one, chart, plot) {
  const wake = () => {
    one.awake = performance.now() + AWAKE_MS;
    run(one);
  };
  for (const name of ["plotly_relayout", "plotly_relayouting", "plotly_afterplot"]) plot.on(name, wake);
  plot.addEventListener("wheel", wake, { capture: true, passive: true });
  const seek = (event) => {
    if (chart !== one.data.line || !(event.buttons & 1) || !one.audio || event.target.closest?.(".modebar, .legend"))
      return;
    const { left } = plot.getBoundingClientRect();
    const { xaxis } = plot._fullLayout;
    const seconds = xaxis.p2d(event.clientX - left - xaxis._offset);
    if (Number.isFinite(seconds)) one.audio.currentTime = Math.min(Math.max(seconds, 0), one.audio.duration || 0);
  };
  for (const name of ["pointerdown", "pointermove"]) plot.addEventListener(name, seek, true);
}

// ---- where the sound is

// The place on the path: between the middles of two windows on the way from one to the other; before the first and
// after the last window there; nowhere where a window has no place.
function along(times, path, now) {
  const after = times.findIndex((time) => time >= now);
  if (after === 0) return path[0];
  if (after < 0) return path[path.length - 1];
  const [from, to] = [path[after - 1], path[after]];
  const share = (now - times[after - 1]) / (times[after] - times[after - 1]);
  if (!from || !to) return share < 0.5 ? from : to;
  return from.map((value, axis) => value + share * (to[axis] - value));
}

// ---- where that is on the screen, in pixels of the chart; null if it is out of sight

function onPlot(plot, point) {
  if (!point) return null;
  const scene = plot._fullLayout.scene?._scene;
  if (scene) return projected(scene, point);
  const axes = [plot._fullLayout.xaxis, plot._fullLayout.yaxis];
  const pixels = axes.map((axis, number) => axis.d2p(point[number]));
  return pixels.every((pixel, number) => pixel >= 0 && pixel <= axes[number]._length)
    ? pixels.map((pixel, number) => pixel + axes[number]._offset)
    : null;
}

function projected({ glplot, dataScale, container }, point) {
  const camera = glplot?.cameraParams;
  if (!camera) return null;
  let at = [...point.map((value, axis) => value * dataScale[axis]), 1];
  for (const matrix of [camera.model, camera.view, camera.projection])
    at = [0, 1, 2, 3].map((row) => at.reduce((sum, value, column) => sum + matrix[4 * column + row] * value, 0));
  const { offsetLeft, offsetTop, clientWidth, clientHeight } = container;
  return [offsetLeft + (0.5 + at[0] / at[3] / 2) * clientWidth, offsetTop + (0.5 - at[1] / at[3] / 2) * clientHeight];
}

function across(plot, seconds) {
  const { xaxis } = plot._fullLayout;
  return xaxis._offset + xaxis.d2p(seconds);
}

// ---- the marks

function markOf(one, chart, plot) {
  const home = plot.querySelector(".svg-container") ?? plot;
  const mark = (one.marks[chart] ??= document.createElement("div"));
  if (mark.parentElement === home) return mark;
  const ring = chart !== one.data.line;
  mark.className = `ser-atlas-follow-${ring ? "ring" : "line"}`;
  Object.assign(mark.style, {
    position: "absolute", left: 0, top: 0, pointerEvents: "none", boxSizing: "border-box",
    ...(ring
      ? { width: "22px", height: "22px", margin: "-11px 0 0 -11px", border: "3px solid", borderRadius: "50%" }
      : { width: "0", borderLeft: "2px solid", marginLeft: "-1px", boxShadow: "0 0 0 1px #fffa" }), // seen on dark too
  });
  home.append(mark);
  return mark;
}

function draw(mark, place) {
  const ok = place?.every(Number.isFinite);
  mark.style.visibility = ok ? "visible" : "hidden";
  if (ok) mark.style.transform = `translate(${place[0].toFixed(1)}px,${place[1].toFixed(1)}px)`;
}
