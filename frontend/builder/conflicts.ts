/** Two changed the same part of a page: a person says, part by part, whose is kept. */
import { listContested, mergeContents, type Side } from "./content.ts";
import { make, openSheet, say, textButton } from "./dom.ts";
import type { Clash } from "./saving.ts";
import type { Content, Section, SectionType } from "./types.ts";

/** Return the content that a person chose, or undefined when they put the choice off. */
export function settleClash(clash: Clash, typeOf: (section: Section) => SectionType | undefined): Promise<Content | undefined> {
  return new Promise((resolve) => {
    const { meeting, message } = clash;
    const choices = new Map<string, Side>();
    const list = make("div", { class: "clash-list" });
    for (const id of listContested(meeting)) list.append(makeChoice(id));
    let chosen: Content | undefined;
    const go = textButton(say("merge"), () => {
      chosen = mergeContents(meeting, choices);
      sheet.close();
    }, "button button-primary");
    const later = textButton(say("decide_later"), () => sheet.close(), "button");
    const sheet = openSheet(say("conflict_title"), make("p", {}, message, " ", say("conflict")), list, make("p", { class: "muted tiny" }, say("conflict_hint")), make("div", { class: "row" }, go, later));
    sheet.addEventListener("close", () => resolve(chosen));

    function makeChoice(id: string): HTMLElement {
      choices.set(id, "mine");
      const [mine, theirs] = [meeting.mine, meeting.theirs].map((content) => content.sections.find((section) => section.id === id));
      const section = mine ?? theirs;
      const name = (section && typeOf(section)?.name) || (section ? say("unknown") : say("page_settings"));
      const box = make("fieldset", { class: "clash" }, make("legend", { class: "strong" }, name));
      for (const [side, label, words] of [["mine", say("mine"), id ? wordsOf(mine) : ""], ["theirs", say("theirs"), id ? wordsOf(theirs) : ""]] as const) {
        const input = make("input", { type: "radio", name: `clash-${id}`, value: side });
        input.checked = side === "mine";
        input.addEventListener("change", () => choices.set(id, side));
        box.append(make("label", { class: "clash-side" }, input, make("span", { class: "grow" }, make("span", { class: "strong" }, label), make("span", { class: "muted clip" }, words))));
      }
      return box;
    }
  });
}

/** Say in a line what a section holds, to tell two of them apart. */
function wordsOf(section: Section | undefined): string {
  if (!section) return say("is_removed");
  const found: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value === "string" && /[^\x21-\x7e]|\s/.test(value.trim())) found.push(value.replace(/<[^>]*>/g, " ").trim());
    else if (Array.isArray(value)) value.forEach(walk);
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(walk);
  };
  walk(section.props);
  return (section.hidden ? `${say("is_hidden")} · ` : "") + found.filter(Boolean).join(" · ").slice(0, 120);
}
