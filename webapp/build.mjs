// Builds static/dist: hashed names, a manifest from plain names to them, and each file compressed beside itself.
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const dist = path.join(here, "static", "dist");
const fresh = `${dist}.new`;
const icons = [
  "activity", "alert-triangle", "arrows-horizontal", "ban", "chevron-left", "chevron-right", "chevrons-left",
  "chevrons-right", "circle-check", "circle-minus", "circle-x", "clock", "copy", "download", "eye", "eye-off", "id",
  "inbox", "info-circle", "keyboard", "language", "list-details", "logout", "mail-forward", "maximize", "moon",
  "paperclip", "pencil", "phone-incoming", "phone-outgoing", "player-pause", "player-play", "plug-connected-x",
  "printer", "refresh", "rotate", "rotate-2", "rotate-clockwise", "search", "send", "template", "trash",
  "user-circle", "zoom-in", "zoom-out",
];

// One symbol an icon; colour and size come from where it is used.
async function sprite() {
  const symbols = await Promise.all(icons.map(async (name) => {
    const file = path.join(here, "node_modules/@tabler/icons/icons/outline", `${name}.svg`);
    const shapes = (await readFile(file, "utf8")).replace(/^[\s\S]*?<svg[\s\S]*?>/, "").replace(/<\/svg>\s*$/, "");
    return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" ` +
      `stroke-linecap="round" stroke-linejoin="round">${shapes.replace(/\s*\n\s*/g, "")}</symbol>`;
  }));
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`;
}

async function bundles() {
  const result = await esbuild.build({
    absWorkingDir: here,
    entryPoints: ["front/app.css", "front/app.js", "front/theme.js", "front/viewer.js"],
    outdir: fresh,
    bundle: true,
    minify: true,
    legalComments: "none",
    target: ["chrome100", "firefox100", "safari15.4"],
    write: false,
    logLevel: "warning",
  });
  return result.outputFiles.map((file) => [path.basename(file.path), Buffer.from(file.contents)]);
}

const files = [
  ...await bundles(),
  ["icons.svg", Buffer.from(await sprite())],
  ["favicon.svg", await readFile(path.join(here, "front/favicon.svg"))],
];
await rm(fresh, { recursive: true, force: true });
await mkdir(fresh, { recursive: true });
const manifest = {};
for (const [name, content] of files) {
  const { name: stem, ext } = path.parse(name);
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
  manifest[name] = `${stem}-${hash}${ext}`;
  await writeFile(path.join(fresh, manifest[name]), content);
  await writeFile(path.join(fresh, `${manifest[name]}.gz`), gzipSync(content, { level: 9 }));
}
await writeFile(path.join(fresh, "manifest.json"), JSON.stringify(manifest, null, 1));
// A portal that runs meanwhile has either the old folder or the new one.
await rm(dist, { recursive: true, force: true });
await rename(fresh, dist);
