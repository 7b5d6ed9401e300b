import "htmx.org";
import "./files.js";
import "./live.js";
import "./covers.js";

const ready = (act) => (document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", act) : act());

// A form that is on its way is not sent a second time; the button that sent it says so.
const senders = (form) => [...form.elements].filter((each) => each.type === "submit");

// Nor is it written in meanwhile: the answer brings what was sent.
function hold(form, sender) {
  form.inert = true;
  for (const button of senders(form)) button.disabled = true;
  const label = sender?.querySelector("span");
  if (sender?.dataset.busy && label) {
    sender.dataset.idle = label.textContent;
    label.textContent = sender.dataset.busy;
  }
}

function release(form) {
  delete form.dataset.busy;
  form.inert = false;
  for (const button of senders(form)) {
    button.disabled = false;
    const label = button.querySelector("span");
    if (button.dataset.idle && label) label.textContent = button.dataset.idle;
    delete button.dataset.idle;
  }
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
  const { submitter } = event;
  setTimeout(() => "busy" in form.dataset && hold(form, submitter));
}, true);

// Back in the history, a form is there to be used again.
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-busy]").forEach(release);
});

// What was written into a form is there again in the other language; files are the browser's, and chosen anew.
function keepOverLanguages(form) {
  const fields = () => [...form.elements].filter((field) => field.matches('textarea, select, input:not([type="hidden"], [type="file"])'));
  const written = JSON.parse(sessionStorage.getItem("written") || "null");
  sessionStorage.removeItem("written");
  fields().forEach((field, place) => {
    if (!written) return;
    if (field.type === "radio") field.checked = written.fields[place] === true;
    else field.value = written.fields[place];
  });
  if (written?.files) {
    const problem = form.querySelector("[data-file-problem]");
    problem.textContent = problem.dataset.again;
    problem.hidden = false;
  }
  document.querySelector("[data-language]").addEventListener("submit", () => {
    const values = fields().map((field) => (field.type === "radio" ? field.checked : field.value));
    sessionStorage.setItem("written", JSON.stringify({ fields: values, files: form.elements.attachments.files.length > 0 }));
  });
}

ready(() => {
  const form = document.getElementById("send-form");
  if (form) {
    const lost = () => document.getElementById("send-lost");
    const noAnswer = lost().textContent;
    // The sentence of a page that says why not, such as a form from before another sign-in.
    const parse = (page) => new DOMParser().parseFromString(page, "text/html");
    const said = (page) => parse(page).querySelector("h1")?.textContent;
    const isStale = (page) => parse(page).querySelector("h1[data-stale]") !== null;
    form.addEventListener("htmx:before:request", (event) => {
      lost().hidden = true;
      // A preview is no submit: the form is held all the same while it is drawn.
      if (event.target === form) return;
      form.dataset.busy = "";
      hold(form, event.target);
    });
    form.addEventListener("htmx:finally:request", async (event) => {
      const { response, text } = event.detail.ctx;
      const isPreview = event.target !== form;
      if (response?.raw.ok && !isPreview) return;
      const status = response?.raw.status;
      const renewed = status === 400 && isStale(text) && await renew();
      release(form);
      if (status === 422 || response?.raw.ok) return;
      if (renewed) lost().textContent = lost().dataset.renewed;
      else if (status === 401) lost().textContent = lost().dataset.signedOut;
      else lost().textContent = (response && said(text)) || (isPreview ? lost().dataset.noPreview : noAnswer);
      lost().hidden = false;
      // On a telephone it would stand below the bar of the places.
      lost().scrollIntoView({ block: "center" });
    });
    // The same person has signed in anew: the form, which stays the same fax, gets the token of his new session.
    const renew = async () => {
      const fetched = await fetch(form.action).catch(() => null);
      if (!fetched?.ok || fetched.redirected) return false;
      const page = parse(await fetched.text());
      const login = (of) => of.querySelector("[data-login]")?.textContent;
      if (login(page) !== login(document)) return false;
      form.elements.csrf_token.value = page.querySelector('#send-form [name="csrf_token"]').value;
      return true;
    };
    keepOverLanguages(form);
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
