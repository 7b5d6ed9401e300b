// How large a page is shown: whole, as wide as there is room, or in per cent of its size on paper. Known to the browser
// is the size of each page's paper, and so the place of a page before its picture has come.
const STEPS = [25, 50, 75, 100, 125, 150, 200, 300, 400];

export function makeZoom(viewer, { stage, sheet, leaf, turn, onResize }) {
  let fit = "whole";

  const room = () => {
    const style = getComputedStyle(stage);
    const inner = (size, ...paddings) => size - paddings.reduce((sum, each) => sum + parseFloat(style[each]), 0);
    return {
      width: inner(stage.clientWidth, "paddingLeft", "paddingRight"),
      height: inner(stage.clientHeight, "paddingTop", "paddingBottom"),
    };
  };

  // The paper as it lies: CSS pixels.
  const paper = () => {
    const { width, height } = leaf();
    return turn() % 180 ? { width: height, height: width } : { width, height };
  };

  const factor = () => {
    const { width, height } = paper();
    const { width: across, height: down } = room();
    if (fit === "whole") return Math.min(across / width, down / height);
    return fit === "width" ? across / width : Number(fit) / 100;
  };

  const lay = () => {
    const scale = factor();
    // Whole pixels: a part of one would bring the scroll bars of a page that fits.
    sheet.style.width = `${Math.floor(paper().width * scale)}px`;
    sheet.style.height = `${Math.floor(paper().height * scale)}px`;
    viewer.querySelector("[data-zoom-now]").textContent = `${Math.round(scale * 100)} %`;
    for (const button of viewer.querySelectorAll("[data-fit-to]")) {
      button.setAttribute("aria-pressed", String(button.dataset.fitTo === fit));
    }
  };

  new ResizeObserver(() => { lay(); onResize(); }).observe(stage);

  return {
    lay,
    // How many pixels of the screen a page is wide, before it is turned.
    pixels: () => leaf().width * factor() * devicePixelRatio,
    get fit() { return fit; },
    to(how) {
      fit = ["whole", "width"].includes(how) || STEPS.includes(Number(how)) ? how : "whole";
      lay();
    },
    by(direction) {
      const present = Math.round(factor() * 100);
      const next = direction > 0 ? STEPS.find((step) => step > present) : STEPS.findLast((step) => step < present);
      if (next) this.to(String(next));
    },
  };
}
