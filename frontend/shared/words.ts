/** Words for scripts come from the page's <template id="words">, so that they are translated there. */
import { fill } from "./time.ts";

export function word(name: string, values: Readonly<Record<string, string | number>> = {}): string {
  const text = document.querySelector<HTMLTemplateElement>("#words")?.dataset[name] ?? "";
  return fill(text, values);
}

/** Draw an icon of the sprite that the page links. */
export function makeIcon(name: string, size = ""): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", size ? `icon ${size}` : "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  const sprite = document.querySelector<HTMLTemplateElement>("#words")?.dataset["sprite"] ?? "";
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

/** Run for every element of the page that matches; one faulty element does not stop the rest. */
export function each<E extends Element>(selector: string, start: (element: E) => void, root: ParentNode = document): void {
  for (const element of root.querySelectorAll<E>(selector)) {
    try {
      start(element);
    } catch (error) {
      console.error(selector, error);
    }
  }
}
