// Bundle the scripts and styles of a product's pages: node scripts/build_frontend.mjs src/lockstep/web
//
// The kit's files come first, then those of the product, each folder in the order of names; a new file needs no entry anywhere. Written are
// `built/NAME-HASH.ext`, the same compressed for clients that accept it, and `built/manifest.json` (name -> file name).
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const KIT = join(ROOT, "src/lockstep/kit/frontend");
const TARGETS = ["chrome123", "firefox128", "safari17.5"]; // light-dark(), nesting, :has()

const files = (folder, extension) =>
  existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(extension)).sort().map((name) => join(folder, name)) : [];

const layered = (layer, paths) => paths.map((path) => `@import ${JSON.stringify(path)} layer(${layer});`);

function entries(product) {
  const own = join(product, "frontend");
  const [base, components, media] = ["css/base", "css", "css/media"].map((folder) => files(join(KIT, folder), ".css"));
  // The rules for paper and contrast themes come last, so that no component or page outweighs them.
  return {
    js: [...files(join(KIT, "js"), ".js"), ...files(join(own, "js"), ".js")].map((path) => `import ${JSON.stringify(path)};`),
    css: ["@layer base, kit, pages, media;", ...layered("base", base), ...layered("kit", components), ...layered("pages", files(join(own, "css"), ".css")), ...layered("media", media)],
  };
}

async function bundle(name, kind, lines) {
  const result = await build({
    stdin: { contents: lines.join("\n"), loader: kind, resolveDir: ROOT, sourcefile: `${name}.${kind}` },
    bundle: true, minify: true, write: false, format: kind === "js" ? "esm" : undefined, target: TARGETS,
    outdir: join(ROOT, "out"), loader: { ".woff2": "file" }, assetNames: "[name]-[hash]", legalComments: "none", logLevel: "warning",
  });
  return result.outputFiles.map((file) => ({ name: basename(file.path), contents: Buffer.from(file.contents) }));
}

function hashed(name, contents) {
  const extension = extname(name);
  return `${basename(name, extension)}-${createHash("sha256").update(contents).digest("hex").slice(0, 10)}${extension}`;
}

function write(folder, file, contents) {
  writeFileSync(join(folder, file), contents);
  if (/\.(js|css|svg)$/.test(file)) {
    writeFileSync(join(folder, `${file}.gz`), gzipSync(contents, { level: 9 }));
    writeFileSync(join(folder, `${file}.br`), brotliCompressSync(contents, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  }
}

const product = resolve(ROOT, process.argv[2]);
const name = basename(dirname(product)) === "src" ? basename(product) : basename(dirname(product));
const [built, fresh] = [join(product, "built"), join(product, "built.new")];
rmSync(fresh, { recursive: true, force: true });
mkdirSync(fresh, { recursive: true });
const manifest = {};
for (const [kind, lines] of Object.entries(entries(product))) {
  for (const { name: file, contents } of await bundle(name, kind, lines)) {
    const isBundle = file.startsWith("stdin.");
    const written = isBundle ? hashed(`${name}.${kind}`, contents) : file; // fonts carry a hash already, which the styles name
    manifest[isBundle ? `${name}.${kind}` : file.replace(/-[A-Z0-9]{8}(?=\.)/, "")] = written;
    write(fresh, written, contents);
  }
}
for (const path of [...files(join(KIT, "static"), ""), ...files(join(product, "frontend/static"), "")]) {
  const contents = readFileSync(path);
  manifest[basename(path)] = hashed(basename(path), contents);
  write(fresh, manifest[basename(path)], contents);
}
writeFileSync(join(fresh, "manifest.json"), JSON.stringify(manifest, null, 1));
rmSync(built, { recursive: true, force: true });
renameSync(fresh, built);
