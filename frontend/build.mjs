/**
 * Build the two front ends and the icon sprite into the Django static folder.
 *
 * Every output carries a hash of its content in its name, so it may be cached for ever;
 * manifest.json maps the stable name ("storefront.css") to the hashed path that the
 * {% asset %} template tag prints. The outputs of the build before this one stay, so that a
 * server that is running, or a page that is open, keeps finding its files.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const staticRoot = join(here, "..", "src", "kameng", "web", "static");
const outputFolder = join(staticRoot, "kameng");
const designFolder = join(here, "designs");
const iconFolder = join(here, "node_modules", "@tabler", "icons", "icons", "outline");

const ENTRIES = [
  ["storefront.css", "storefront/storefront.css"],
  ["skins.css", "storefront/skins.css"],
  ["storefront.js", "storefront/storefront.ts"],
  ["console.css", "console/console.css"],
  ["console.js", "console/console.ts"],
  ["builder.css", "builder/builder.css"],
  ["builder-frame.css", "builder/frame.css"],
];
// Scripts in parts: what is not needed at the start is fetched when somebody comes to it.
const IN_PARTS = [["builder", "builder/builder.ts"]];
const EDITOR_LIMIT_BYTES = 40 * 1024; // of what the editor starts with
const STOREFRONT_LIMIT_BYTES = 40 * 1024;

/** Repeat the dark rules of tokens.css for "auto" on a dark system, so that they are written once. */
const autoDark = {
  name: "auto-dark",
  setup(builder) {
    builder.onLoad({ filter: /tokens\.css$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const dark = source.match(/^\[data-theme="dark"\][^{]*\{[^}]*\}/gm) ?? [];
      const auto = dark.join("\n").replaceAll('[data-theme="dark"]', '[data-theme="auto"]');
      const marker = /\/\* auto-dark:[^*]*\*\//;
      if (!marker.test(source)) throw new Error("tokens.css has no auto-dark marker");
      const media = `@media (prefers-color-scheme: dark) {\n${auto}\n}`;
      return { contents: source.replace(marker, () => media), loader: "css" };
    });
  },
};

const OPTIONS = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  write: false,
  target: ["es2022", "chrome105", "safari15.4", "firefox110"],
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  plugins: [autoDark],
};

async function bundle(source) {
  const result = await build({ ...OPTIONS, entryPoints: [source], format: "iife" });
  return Buffer.from(result.outputFiles[0].contents);
}

/** Return the parts of a script under their final names, and how many bytes it starts with. */
async function bundleInParts(name, source) {
  const { outputFiles, metafile } = await build({
    ...OPTIONS,
    entryPoints: { [name]: source },
    format: "esm",
    splitting: true,
    metafile: true,
    outdir: "out",
    entryNames: "[name].[hash]",
    chunkNames: `${name}-[name].[hash]`,
  });
  const sizes = new Map(outputFiles.map((file) => [basename(file.path), gzipSync(file.contents, { level: 9 }).length]));
  const infos = new Map(Object.entries(metafile.outputs).map(([path, info]) => [basename(path), info]));
  const entry = [...infos].find(([, info]) => info.entryPoint === source)[0];
  const atStart = new Set([entry]);
  for (const file of atStart) for (const each of infos.get(file).imports) if (each.kind === "import-statement") atStart.add(basename(each.path));
  const parts = outputFiles.map((file) => {
    const path = basename(file.path);
    return [path === entry ? `${name}.js` : path, Buffer.from(file.contents), path];
  });
  return { parts, startBytes: [...atStart].reduce((sum, file) => sum + sizes.get(file), 0) };
}

async function drawSprite() {
  const names = JSON.parse(await readFile(join(here, "icons.json"), "utf8"));
  const symbols = [];
  for (const name of [...new Set(names)].sort()) {
    const svg = await readFile(join(iconFolder, `${name}.svg`), "utf8").catch(() => {
      throw new Error(`icons.json names "${name}", which @tabler/icons outline does not have`);
    });
    const body = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
    const shape = body.replace(/\s*\n\s*/g, "").replace(/<path stroke="none"[^>]*>/, "");
    symbols.push(`<symbol id="${name}" viewBox="0 0 24 24">${shape}</symbol>`);
  }
  return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`);
}

function hashedName(name, content) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 10);
  const dot = name.lastIndexOf(".");
  return `${name.slice(0, dot)}.${hash}${name.slice(dot)}`;
}

async function main() {
  await mkdir(outputFolder, { recursive: true });
  const outputs = await Promise.all(ENTRIES.map(async ([name, source]) => [name, await bundle(source)]));
  for (const [name, source] of IN_PARTS) {
    const { parts, startBytes } = await bundleInParts(name, source);
    outputs.push(...parts);
    console.log(`${name}.js starts with ${startBytes} bytes compressed`);
    if (startBytes > EDITOR_LIMIT_BYTES) throw new Error(`${name}.js starts with ${startBytes} bytes, over ${EDITOR_LIMIT_BYTES}`);
  }
  outputs.push(["icons.svg", await drawSprite()]);
  for (const file of (await readdir(designFolder)).filter((name) => name.endsWith(".webp"))) {
    outputs.push([`design-${file}`, await readFile(join(designFolder, file))]);
  }

  const manifest = {};
  let storefrontBytes = 0;
  for (const [name, content, path] of outputs) {
    const file = path ?? hashedName(name, content); // parts name one another, so esbuild names them
    await writeFile(join(outputFolder, file), content);
    manifest[name] = `kameng/${file}`;
    if (name.startsWith("design-")) continue;
    const compressed = gzipSync(content, { level: 9 }).length;
    if (name.startsWith("storefront.")) storefrontBytes += compressed;
    console.log(`${file.padEnd(32)} ${content.length} bytes, ${compressed} compressed`);
  }
  if (storefrontBytes > STOREFRONT_LIMIT_BYTES) {
    throw new Error(`the storefront weighs ${storefrontBytes} bytes, over ${STOREFRONT_LIMIT_BYTES}`);
  }

  const manifestPath = join(outputFolder, "manifest.json");
  const previous = JSON.parse(await readFile(manifestPath, "utf8").catch(() => "{}"));
  await writeFile(`${manifestPath}.new`, `${JSON.stringify(manifest, null, 2)}\n`);
  await rename(`${manifestPath}.new`, manifestPath);
  const kept = new Set(["manifest.json"]);
  for (const path of [...Object.values(manifest), ...Object.values(previous)]) {
    kept.add(path.slice("kameng/".length));
  }
  for (const file of await readdir(outputFolder)) {
    // The server writes a packed form beside each file and opens it again at each request.
    if (!kept.has(file.replace(/\.gz$/, ""))) await rm(join(outputFolder, file));
  }
}

await main();
