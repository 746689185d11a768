/** How well the chosen colours can be read, measured on what is drawn. */
import { each } from "../shared/words.ts";
import { fill } from "../shared/time.ts";

const ENOUGH = 4.5;

type Colour = readonly [number, number, number];

/** Read "rgb(1, 2, 3)" or "color(srgb 0.1 0.2 0.3)"; undefined for what is see-through or unknown. */
export function readColour(text: string): Colour | undefined {
  const isUnit = text.startsWith("color(srgb");
  const parts = (text.match(/-?[\d.]+(?:e-?\d+)?/gi) ?? []).map(Number);
  if (parts.length < 3 || (!isUnit && !text.startsWith("rgb")) || parts[3] === 0) return undefined;
  const [red, green, blue] = parts.map((part) => (isUnit ? part : part / 255)) as [number, number, number];
  return [red, green, blue];
}

function luminance([red, green, blue]: Colour): number {
  const light = (part: number) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * light(red) + 0.7152 * light(green) + 0.0722 * light(blue);
}

/** Return the contrast of two colours as WCAG 2 counts it, 1 to 21. */
export function contrastOf(one: Colour, other: Colour): number {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function groundOf(element: Element | null): Colour | undefined {
  for (let each = element; each; each = each.parentElement) {
    const found = readColour(getComputedStyle(each).backgroundColor);
    if (found) return found;
  }
  return undefined;
}

function measure(root: HTMLElement): void {
  const note = root.querySelector<HTMLElement>("[data-contrast-note]");
  const ratios = [...root.querySelectorAll("[data-contrast]")].flatMap((part) => {
    const text = readColour(getComputedStyle(part).color);
    const ground = groundOf(part);
    return text && ground ? [contrastOf(text, ground)] : [];
  });
  if (!note || ratios.length === 0) return;
  const least = Math.floor(Math.min(...ratios) * 10) / 10;
  note.textContent = fill(note.dataset[least >= ENOUGH ? "ok" : "low"] ?? "", { ratio: least.toFixed(1) });
}

function startWatch(root: HTMLElement): void {
  measure(root);
  new MutationObserver(() => measure(root)).observe(root, { childList: true });
}

export function startContrast(): void {
  each<HTMLElement>("[data-contrast-watch]", startWatch);
}
