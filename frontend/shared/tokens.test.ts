/** Every pair of text and ground that the style sheets use must reach a contrast of 4.5, in every palette. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const css = readFileSync(new URL("./tokens.css", import.meta.url), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
const rules = [...css.matchAll(/([^{}]+)\{([^{}]*)\}/g)].map(([, selector = "", body = ""]) => ({
  selectors: selector.split(",").map((part) => part.trim()),
  values: Object.fromEntries([...body.matchAll(/(--[\w-]+):\s*([^;]+);/g)].map(([, name, value]) => [name, value])) as Record<string, string>,
}));
const PALETTES = ["indigo", "teal", "vermilion", "ink"];

function tokensOf(palette: string, isDark: boolean): Record<string, string> {
  const dark = '[data-theme="dark"]';
  const wanted = [":root", `[data-palette="${palette}"]`, ...(isDark ? [dark, `${dark}[data-palette="${palette}"]`] : [])];
  const found: Record<string, string> = {};
  const bySpecificity = (selector: string) => (selector.match(/\[/g) ?? []).length;
  for (const level of [0, 1, 2]) {
    for (const rule of rules) {
      // :root counts as one attribute selector: the order in the file decides between them.
      const hit = rule.selectors.find((selector) => wanted.includes(selector));
      if (hit && (hit === ":root" ? 1 : bySpecificity(hit)) === level) Object.assign(found, rule.values);
    }
  }
  return found;
}

type Colour = readonly [number, number, number];

function read(hex: string | undefined): Colour {
  assert.match(hex ?? "", /^#[0-9a-f]{6}$/);
  return [1, 3, 5].map((at) => parseInt((hex ?? "").slice(at, at + 2), 16)) as unknown as Colour;
}

function mix(top: Colour, ground: Colour, share: number): Colour {
  return top.map((channel, at) => channel * share + (ground[at] ?? 0) * (1 - share)) as unknown as Colour;
}

function luminance(colour: Colour): number {
  const [red = 0, green = 0, blue = 0] = colour.map((channel) => {
    const value = channel / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: Colour, b: Colour): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

for (const palette of PALETTES) {
  for (const isDark of [false, true]) {
    test(`texts of ${palette} stand out in ${isDark ? "dark" : "light"}`, () => {
      const tokens = tokensOf(palette, isDark);
      const colour = (name: string) => read(tokens[`--${name}`]);
      const surface = colour("surface");
      const tint = mix(colour("brand"), surface, parseInt(tokens["--tint-share"] ?? "", 10) / 100);
      const tint2 = mix(colour("brand"), surface, parseInt(tokens["--tint2-share"] ?? "", 10) / 100);
      const pairs: [string, Colour, Colour][] = [
        ["button", colour("on-solid"), colour("brand-solid")],
        ["button under the pointer", colour("on-solid"), colour("brand-solid-2")],
        ["link on tint", colour("brand-ink"), tint],
        ["avatar", colour("brand-ink"), tint2],
        ["banner start", colour("banner-ink"), colour("banner-1")],
        ["banner end", colour("banner-ink"), colour("banner-2")],
      ];
      for (const ground of ["bg", "surface", "sunken", "raised"]) {
        for (const text of ["text", "text-2", "text-3", "brand-ink", "price"]) {
          pairs.push([`${text} on ${ground}`, colour(text), colour(ground)]);
        }
      }
      for (const state of ["ok", "warn", "bad", "info"]) {
        pairs.push([`${state} on surface`, colour(state), surface]);
        pairs.push([`${state} on its tint`, colour(state), colour(`${state}-tint`)]);
        pairs.push([`text on ${state} tint`, colour("text"), colour(`${state}-tint`)]);
      }
      for (const [name, text, ground] of pairs) {
        const reached = contrast(text, ground);
        assert.ok(reached >= 4.5, `${name}: ${reached.toFixed(2)}`);
      }
    });
  }
}

test("words on the hues of categories stand out, fainter ones too", () => {
  const components = readFileSync(new URL("./components.css", import.meta.url), "utf8");
  const hues = [...components.matchAll(/\.hue-\d+ \{ --h: (\d+);(?: --hl: (\d+)%;)? \}/g)];
  const hsl = (hue: number, saturation: number, lightness: number): Colour => {
    const chroma = (1 - Math.abs((2 * lightness) / 100 - 1)) * (saturation / 100);
    const channel = (at: number) => {
      const share = (at + hue / 30) % 12;
      return 255 * (lightness / 100 - (chroma / 2) * Math.max(-1, Math.min(share - 3, 9 - share, 1)));
    };
    return [channel(0), channel(8), channel(4)];
  };
  assert.equal(hues.length, 12);
  for (const [, hue = "", lightness = "36"] of hues) {
    for (const [ground, words] of [[hsl(+hue, 85, 95), hsl(+hue, 62, +lightness)], [hsl(+hue, 40, 17), hsl(+hue, 82, 78)]] as const) {
      const reached = contrast(mix(words, ground, 0.92), ground); // as .nav-tile small has it
      assert.ok(reached >= 4.5, `hue ${hue}: ${reached.toFixed(2)}`);
    }
  }
});
