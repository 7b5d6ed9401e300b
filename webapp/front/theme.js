// Before anything is painted: light or dark, as chosen here, else as the system has it.
const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");

function chosen() {
  try {
    return localStorage.getItem("netfax-theme");
  } catch {
    return null; // storage is closed in this browser: the system's theme holds
  }
}

function apply() {
  root.dataset.bsTheme = chosen() ?? (dark.matches ? "dark" : "light");
}

root.classList.add("has-script");
apply();
dark.addEventListener("change", apply);
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-theme-toggle]")) return;
  const next = root.dataset.bsTheme === "dark" ? "light" : "dark";
  root.dataset.bsTheme = next;
  try {
    localStorage.setItem("netfax-theme", next);
  } catch {
    // storage is closed in this browser: the choice holds for this page
  }
});
