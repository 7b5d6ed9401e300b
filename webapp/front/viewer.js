// The viewer without a reload for each page: steps, keys, fit, turn. The address always names the page.
const viewer = document.getElementById("viewer");
if (viewer) {
  const pages = Number(viewer.dataset.pages);
  const sheet = viewer.querySelector("[data-sheet]");
  const stage = viewer.querySelector(".stage");
  let page = Number(viewer.dataset.page);

  const image = (number) => `${viewer.dataset.image.replace("/0.png", `/${number}.png`)}?w=${viewer.dataset.width}`;
  const address = (number) => `${location.pathname}?page=${number}`;

  const load = (number) => {
    if (number >= 1 && number <= pages) new Image().src = image(number);
  };

  const show = (number, remember = true) => {
    if (number < 1 || number > pages || number === page) return;
    page = number;
    sheet.src = image(page);
    sheet.alt = viewer.dataset.alt.replace("{page}", page).replace("{pages}", pages);
    stage.scrollTo(0, 0);
    mark();
    if (remember) history.pushState({ page }, "", address(page));
    load(page + 1);
  };

  const mark = () => {
    viewer.querySelector("[data-page-now]").textContent = page;
    for (const step of viewer.querySelectorAll("[data-step]")) {
      const target = page + Number(step.dataset.step);
      const possible = target >= 1 && target <= pages;
      if (possible) {
        step.href = address(target);
        step.removeAttribute("aria-disabled");
      } else {
        step.removeAttribute("href");
        step.setAttribute("aria-disabled", "true");
      }
    }
    viewer.querySelector(".thumbs [aria-current]")?.removeAttribute("aria-current");
    const thumb = viewer.querySelector(`.thumbs [data-show="${page}"]`);
    thumb.setAttribute("aria-current", "page");
    thumb.scrollIntoView({ block: "nearest", inline: "nearest" });
  };

  const turn = (by) => {
    viewer.dataset.turn = (Number(viewer.dataset.turn) + by) % 360;
    remember("netfax-turn", viewer.dataset.turn);
  };

  const fit = (how) => {
    viewer.dataset.fit = how;
    for (const button of viewer.querySelectorAll("[data-fit-to]")) {
      button.setAttribute("aria-pressed", String(button.dataset.fitTo === how));
    }
    remember("netfax-fit", how);
  };

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

  viewer.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    const at = (selector) => event.target.closest(selector);
    const step = at("[data-step]");
    const thumb = at("[data-show]");
    if (step) show(page + Number(step.dataset.step));
    else if (thumb) show(Number(thumb.dataset.show));
    else if (at("[data-fit-to]")) fit(at("[data-fit-to]").dataset.fitTo);
    else if (at("[data-turn-by]")) turn(Number(at("[data-turn-by]").dataset.turnBy));
    if (step || thumb) event.preventDefault();
  });

  const keys = { n: 1, ArrowRight: 1, PageDown: 1, p: -1, ArrowLeft: -1, PageUp: -1 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (event.key === "Home" || event.key === "End") show(event.key === "Home" ? 1 : pages);
    else if (event.key in keys) show(page + keys[event.key]);
    else return;
    event.preventDefault();
  });
  addEventListener("popstate", () => show(Number(new URLSearchParams(location.search).get("page") ?? 1), false));

  fit(remembered("netfax-fit", innerWidth < 700 ? "width" : "whole"));
  turn(Number(remembered("netfax-turn", "0")));
  mark();
  load(page + 1);
}
