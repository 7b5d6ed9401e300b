import "htmx.org";
import "./files.js";
import "./live.js";

const ready = (act) => (document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", act) : act());

// A form that is on its way is not sent a second time.
function hold(form) {
  const button = form.querySelector("button.btn");
  button.disabled = true;
  const label = button.querySelector("span");
  if (button.dataset.busy && label) {
    button.dataset.idle = label.textContent;
    label.textContent = button.dataset.busy;
  }
}

function release(form) {
  const button = form.querySelector("button.btn");
  delete form.dataset.busy;
  button.disabled = false;
  const label = button.querySelector("span");
  if (button.dataset.idle && label) label.textContent = button.dataset.idle;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]")) return;
  if ("busy" in form.dataset) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  form.dataset.busy = "";
  // After the browser has read the form: a disabled button is not part of it.
  setTimeout(() => "busy" in form.dataset && hold(form));
}, true);

// Back in the history, a form is there to be used again.
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-busy]").forEach(release);
});

ready(() => {
  const form = document.getElementById("send-form");
  if (form) {
    const lost = () => document.getElementById("send-lost");
    const noAnswer = lost().textContent;
    // The sentence of a page that says why not, such as a form from before another sign-in.
    const said = (page) => new DOMParser().parseFromString(page, "text/html").querySelector("h1")?.textContent;
    form.addEventListener("htmx:before:request", () => { lost().hidden = true; });
    form.addEventListener("htmx:finally:request", (event) => {
      const { response, text } = event.detail.ctx;
      if (response?.raw.ok) return;
      release(form);
      if (response?.raw.status === 422) return;
      lost().textContent = (response && said(text)) || noAnswer;
      lost().hidden = false;
    });
    form.addEventListener("htmx:after:swap", () => form.querySelector('[aria-invalid="true"], .alert')?.focus());
  }
  if (document.body.hasAttribute("data-print")) {
    if (document.readyState === "complete") print();
    else addEventListener("load", () => print());
  }
});

// Menus close by a click elsewhere and by Escape.
document.addEventListener("click", (event) => {
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
