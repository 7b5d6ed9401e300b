// Attachments: dropped or chosen, listed with a way to take one out, checked against the limits before anything is sent.
const zone = document.querySelector("[data-drop]");
if (zone) {
  const input = zone.querySelector("input[type=file]");
  const shown = zone.querySelector("[data-files]");
  const problem = zone.querySelector("[data-file-problem]");
  let files = [...input.files];

  const complaint = () => {
    if (files.length > Number(zone.dataset.most)) return zone.dataset.tooMany;
    const large = files.find((file) => file.size > Number(zone.dataset.kilobytes) * 1024);
    return large ? `${large.name} ${zone.dataset.tooLarge}` : "";
  };

  const keep = () => {
    const chosen = new DataTransfer();
    files.forEach((file) => chosen.items.add(file));
    input.files = chosen.files;
    shown.replaceChildren(...files.map(entry));
    problem.textContent = complaint();
    problem.hidden = !problem.textContent;
    input.setCustomValidity(problem.textContent);
  };

  const entry = (file) => {
    const row = document.createElement("li");
    const name = document.createElement("bdi");
    name.textContent = file.name;
    const size = document.createElement("span");
    size.className = "muted";
    size.textContent = `${Math.ceil(file.size / 1024)}K`;
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "btn btn-icon btn-small";
    remove.textContent = "×";
    remove.setAttribute("aria-label", `${zone.dataset.remove} ${file.name}`);
    remove.addEventListener("click", () => {
      files = files.filter((other) => other !== file);
      keep();
      input.focus();
    });
    row.append(name, size, remove);
    return row;
  };

  // Choosing again adds to what is there: a browser would replace it.
  input.addEventListener("change", () => {
    const known = new Set(files.map((file) => `${file.name}/${file.size}/${file.lastModified}`));
    files = [...files, ...[...input.files].filter((file) => !known.has(`${file.name}/${file.size}/${file.lastModified}`))];
    keep();
  });
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.add("drop-over");
    });
  }
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("drop-over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    files = [...files, ...event.dataTransfer.files];
    keep();
  });
}
