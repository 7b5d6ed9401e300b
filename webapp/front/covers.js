// Covers: from a problem of a template to the place that it names.
document.addEventListener("click", (event) => {
  const place = event.target.closest("[data-line]");
  const text = document.getElementById("html");
  if (!place || !text) return;
  const lines = text.value.split("\n");
  const before = lines.slice(0, Number(place.dataset.line) - 1).reduce((sum, line) => sum + line.length + 1, 0);
  const at = before + Number(place.dataset.column) - 1;
  text.focus();
  text.setSelectionRange(at, at + 2);
});
