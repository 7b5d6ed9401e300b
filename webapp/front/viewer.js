// The viewer without a reload for each page: steps, keys, zoom, turn. Where each page has an address, it is in the bar.
import { makeZoom } from "./zoom.js";

const SCREEN = 1100;
const SHARP = 1728;
const THUMBNAIL = 160;

const remember = (name, value) => {
  try {
    localStorage.setItem(name, value);
  } catch {
    // storage is closed in this browser: it holds for this page
  }
};

const remembered = (name, otherwise) => {
  try {
    return localStorage.getItem(name) ?? otherwise;
  } catch {
    return otherwise;
  }
};

function open(viewer) {
  const sheet = viewer.querySelector("[data-sheet]");
  const stage = viewer.querySelector(".stage");
  const thumbs = [...viewer.querySelectorAll("[data-show]")];
  const pages = thumbs.length;
  // A preview is part of another page: its keys are its own only while it has the focus.
  const { address } = viewer.dataset;
  let page = Number(viewer.dataset.page);
  let turn = Number(viewer.dataset.turn);

  const image = (number, width) => `${viewer.dataset.image.replace("/0.png", `/${number}.png`)}?w=${width}&turn=${turn}`;
  const addressOf = (number) => `${address}?page=${number}`;
  const within = (number) => Math.min(Math.max(number, 1), pages);
  const leaf = () => ({ width: Number(thumbs[page - 1].dataset.width), height: Number(thumbs[page - 1].dataset.height) });

  const draw = () => {
    const width = zoom.pixels() > SCREEN ? SHARP : SCREEN;
    const wanted = image(page, width);
    if (sheet.getAttribute("src") !== wanted) sheet.src = wanted;
    if (page < pages) new Image().src = image(page + 1, width);
  };
  const zoom = makeZoom(viewer, { stage, sheet, leaf, turn: () => turn, onResize: draw });

  const show = (number, keep = true) => {
    if (within(number) === page) return;
    page = within(number);
    sheet.alt = viewer.dataset.alt.replace("{page}", page).replace("{pages}", pages);
    zoom.lay();
    draw();
    stage.scrollTo(0, 0);
    mark();
    if (keep && address) history.pushState({ page }, "", addressOf(page));
  };

  const mark = () => {
    viewer.querySelector("[data-page-now]").textContent = page;
    for (const step of viewer.querySelectorAll("[data-step]")) {
      const target = within(page + Number(step.dataset.step));
      if (target === page) step.setAttribute("aria-disabled", "true");
      else step.removeAttribute("aria-disabled");
      if (!address) continue;
      if (target === page) step.removeAttribute("href");
      else step.href = addressOf(target);
    }
    viewer.querySelector(".thumbs [aria-current]")?.removeAttribute("aria-current");
    const thumb = thumbs[page - 1];
    thumb.setAttribute("aria-current", "page");
    inSight(thumb);
  };

  // The page around the list of thumbnails stays where it is.
  const inSight = (thumb) => {
    const list = viewer.querySelector(".thumbs");
    const [place, seen] = [thumb.getBoundingClientRect(), list.getBoundingClientRect()];
    if (place.top < seen.top || place.bottom > seen.bottom) list.scrollTop += place.top - seen.top - (seen.height - place.height) / 2;
    if (place.left < seen.left || place.right > seen.right) list.scrollLeft += place.left - seen.left - (seen.width - place.width) / 2;
  };

  const turnBy = (by) => {
    turn = (turn + by) % 360;
    viewer.dataset.turn = turn;
    for (const thumb of thumbs) thumb.querySelector("img").src = image(Number(thumb.dataset.show), THUMBNAIL);
    zoom.lay();
    draw();
    const form = viewer.querySelector("form[data-keep-turn]");
    if (!form) return;
    const body = new FormData(form);
    body.set("turn", turn);
    fetch(form.action, { method: "POST", headers: { "HX-Request": "true" }, body, keepalive: true }).catch(() => {});
  };

  const fitTo = (how) => {
    zoom.to(how);
    draw();
    remember("netfax-fit", zoom.fit);
  };

  const zoomBy = (direction) => {
    zoom.by(direction);
    draw();
    remember("netfax-fit", zoom.fit);
  };

  viewer.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    const at = event.target.closest("[data-step], [data-show], [data-fit-to], [data-turn-by], [data-zoom-by]");
    if (!at) return;
    event.preventDefault();
    const { step, show: number, fitTo: how, turnBy: by, zoomBy: direction } = at.dataset;
    if (step) show(page + Number(step));
    else if (number) show(Number(number));
    else if (how) fitTo(how);
    else if (by) turnBy(Number(by));
    else zoomBy(Number(direction));
  });

  const next = () => show(page + 1);
  const previous = () => show(page - 1);
  // A page that is wider than its place is moved by the arrows.
  const unlessWide = (act) => () => (stage.scrollWidth > stage.clientWidth && stage === document.activeElement ? true : act());
  const keys = {
    n: next, PageDown: next, ArrowRight: unlessWide(next),
    p: previous, PageUp: previous, ArrowLeft: unlessWide(previous),
    Home: () => show(1), End: () => show(pages),
    f: () => fitTo("whole"), w: () => fitTo("width"), 0: () => fitTo("100"),
    "+": () => zoomBy(1), "=": () => zoomBy(1), "-": () => zoomBy(-1),
    r: () => turnBy(90), l: () => turnBy(270), u: () => turnBy(180),
    "?": () => viewer.querySelector("[data-keys]").click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (!viewer.isConnected || (!address && !viewer.contains(event.target))) return;
    const act = keys[event.key];
    if (act && act() !== true) event.preventDefault();
  });
  if (address) {
    addEventListener("popstate", () => show(Number(new URLSearchParams(location.search).get("page") ?? 1), false));
  }

  fitTo(remembered("netfax-fit", innerWidth < 700 ? "width" : "whole"));
  mark();
}

const openAll = () => {
  for (const viewer of document.querySelectorAll("[data-viewer]:not([data-open])")) {
    viewer.dataset.open = "";
    open(viewer);
  }
};

openAll();
// A preview has come: it is where the reader goes on.
document.addEventListener("htmx:after:swap", () => {
  openAll();
  const preview = document.querySelector("[data-preview]:not([data-shown])");
  if (!preview) return;
  preview.dataset.shown = "";
  preview.querySelector("h2").focus({ preventScroll: true });
  preview.scrollIntoView({ block: "start" });
});
