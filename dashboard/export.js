// Saves a chart of the page as PNG or SVG, as it is seen now, on the background of the page.

const SCALE = 2; // of a PNG: sharp in print

export default function ({ data, parentElement }) {
  parentElement.replaceChildren(...["png", "svg"].map((format) => button(data, format)));
}

function button({ chart, name }, format) {
  const out = document.createElement("button");
  out.textContent = `Save as ${format.toUpperCase()}`;
  Object.assign(out.style, {
    font: "inherit", fontSize: "0.8rem", color: "inherit", background: "none", cursor: "pointer",
    border: "1px solid rgba(128,128,128,0.4)", borderRadius: "0.4rem", padding: "0.1rem 0.6rem", marginRight: "0.4rem",
  });
  out.addEventListener("click", () => save(chart, name, format, out));
  return out;
}

async function save(chart, name, format, out) {
  const plot = document.querySelector(`.st-key-${chart} .js-plotly-plot`);
  if (!plot || !window.Plotly) {
    out.textContent = "This browser cannot save it; use the camera of the picture's toolbar";
    return;
  }
  const app = getComputedStyle(document.querySelector(".stApp") ?? document.body);
  const layout = { ...plot.layout, paper_bgcolor: app.backgroundColor, font: { ...plot.layout.font, color: app.color } };
  const { width, height } = plot.getBoundingClientRect();
  const options = { format, width, height, scale: format === "png" ? SCALE : 1 };
  const link = document.createElement("a");
  link.href = await window.Plotly.toImage({ data: plot.data, layout, config: plot._context }, options);
  link.download = `${name}.${format}`;
  link.click();
}
