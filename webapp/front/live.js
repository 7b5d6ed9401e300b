// Lists that renew themselves: rows change in place, a changed row glows once, lost contact is said.
import htmx from "htmx.org";

const list = document.querySelector("[data-live]");
if (list) {
  const lost = document.getElementById("contact-lost");
  const states = () => new Map([...list.querySelectorAll("[data-glow]")].map((row) => [row.id, row.dataset.glow]));
  let before = states();
  let underWay = false;

  const renew = () => {
    if (document.hidden || underWay) return;
    underWay = true;
    htmx.trigger(list, "renew");
  };

  list.addEventListener("htmx:finally:request", (event) => {
    underWay = false;
    lost.hidden = Boolean(event.detail.ctx.response?.raw.ok);
  });
  list.addEventListener("htmx:after:swap", () => {
    const after = states();
    for (const [id, state] of after) {
      if (before.get(id) === state) continue;
      const row = document.getElementById(id);
      row.classList.add("glow");
      row.addEventListener("animationend", () => row.classList.remove("glow"), { once: true });
    }
    before = after;
  });
  setInterval(renew, 1000 * Number(list.dataset.live));
  document.addEventListener("visibilitychange", renew);
  addEventListener("online", renew);
}
