/** What the editor asks and tells in a sheet: when to publish, who may look, which keys there are. */
import { toast } from "../shared/overlay.ts";
import { messageOf, post, type Answer } from "./calls.ts";
import { make, openSheet, say, textButton } from "./dom.ts";
import { sayMoment } from "./moments.ts";

export interface Timing {
  publishAt: string | null;
  plan: (at: Date) => Promise<Answer>;
  drop: () => Promise<Answer>;
  /** What is planned changed. */
  changed: (publishAt: string | null) => void;
}

const pad = (part: number) => String(part).padStart(2, "0");
const localValue = (at: Date) => `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`;

/** The hours at which shops change: this evening, tomorrow morning and evening, Saturday morning. */
function suggest(now: Date): Date[] {
  const at = (days: number, hour: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);
  const saturday = (6 - now.getDay() + 7) % 7 || 7;
  const all = [at(0, 20), at(1, 0), at(1, 10), at(1, 20), at(saturday, 10)];
  return [...new Map(all.filter((each) => each.getTime() > now.getTime() + 60_000).map((each) => [each.getTime(), each])).values()].slice(0, 4);
}

export function openSchedule(timing: Timing): void {
  const now = new Date();
  const input = make("input", { class: "input", type: "datetime-local", min: localValue(now), "aria-label": say("publish_time") });
  const picks = suggest(now);
  if (picks[0]) input.value = localValue(picks[0]);
  const chips = make("div", { class: "row" }, ...picks.map((pick) => textButton(sayMoment(pick.toISOString()), () => (input.value = localValue(pick)))));
  const problem = make("p", { class: "field-error", role: "alert" });
  const answered = (answer: Answer, publishAt: string | null, words: string) => {
    if (answer.status !== 200) return void (problem.textContent = messageOf(answer) || say("no_line"));
    timing.changed(publishAt);
    toast(words);
    sheet.close();
  };
  const send = async () => {
    const at = new Date(input.value);
    if (Number.isNaN(at.getTime())) return void (problem.textContent = say("choose_time"));
    go.disabled = true;
    const answer = await timing.plan(at);
    go.disabled = false;
    answered(answer, String(answer.data["publish_at"]), say("scheduled"));
  };
  const go = textButton(timing.publishAt ? say("reschedule") : say("schedule"), () => void send(), "button button-primary", "clock");
  const planned = timing.publishAt
    ? make("div", { class: "banner-note banner-info" }, make("span", { class: "grow" }, `${say("planned_at")} `, make("strong", {}, sayMoment(timing.publishAt))), textButton(say("unschedule"), () => void timing.drop().then((answer) => answered(answer, null, say("unscheduled")))))
    : undefined;
  const sheet = openSheet(say("schedule"), planned, make("p", { class: "muted" }, say("schedule_hint")), chips, make("label", { class: "field" }, make("span", { class: "field-label" }, say("publish_time")), input, make("span", { class: "field-help" }, say("own_clock"))), problem, make("div", { class: "row" }, go));
}

export function openShare(url: string, unshareUrl: string, isShut: boolean): void {
  const input = make("input", { class: "input mono", readonly: true, value: url, "aria-label": say("share") });
  const copy = textButton(say("copy"), () => {
    input.select();
    const done = () => copy.lastChild?.replaceWith(say("copied"));
    if (navigator.clipboard) void navigator.clipboard.writeText(url).then(done);
    else if (document.execCommand("copy")) done(); // without TLS there is no other way
  }, "button button-primary", "copy");
  const revoke = textButton(say("unshare"), () =>
    void post(unshareUrl, {}).then((answer) => {
      if (answer.status !== 200) return toast(messageOf(answer) || say("no_line"), true);
      toast(say("unshared"));
      sheet.close();
    }), "button button-quiet button-danger");
  const sheet = openSheet(say("share"), make("p", { class: "muted" }, say("share_hint")), isShut && make("p", { class: "banner-note banner-warn" }, say("share_shut")), input, make("div", { class: "row" }, copy, revoke));
}

const KEYS: [word: string, keys: string][] = [
  ["undo", "Ctrl Z"],
  ["redo", "Ctrl Shift Z"],
  ["save_now", "Ctrl S"],
  ["key_move", "Alt ↑ ↓"],
  ["duplicate", "Ctrl D"],
  ["key_hide", "Ctrl Shift H"],
  ["remove", "Delete"],
  ["key_next", "Alt PgUp PgDn"],
  ["palette", "/"],
  ["key_leave", "Esc"],
  ["key_help", "?"],
];

export function openHelp(): void {
  const isMac = navigator.platform.startsWith("Mac");
  const rows = KEYS.flatMap(([word, keys]) => [
    make("dt", {}, say(word)),
    make("dd", {}, ...keys.split(" ").map((key) => make("kbd", {}, isMac && key === "Ctrl" ? "⌘" : isMac && key === "Alt" ? "⌥" : key))),
  ]);
  const tips = ["tip_type", "tip_drag", "tip_save", "tip_history"].map((word) => make("li", {}, say(word)));
  openSheet(say("help_title"), make("ul", { class: "help-tips" }, ...tips), make("dl", { class: "help-keys" }, ...rows)).classList.add("is-wide");
}

/** Let a person choose a category; undefined when they close the sheet. */
export function chooseCategory(categories: readonly { id: number; name: string; count: number }[], now: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    let chosen: number | undefined;
    const picks = categories.map((each) => {
      const pick = make("button", { type: "button", class: "pick-line", "aria-current": each.id === now ? "true" : undefined }, make("span", { class: "grow clip" }, each.name), make("span", { class: "muted tiny" }, `${each.count} ${say("pieces")}`));
      pick.addEventListener("click", () => {
        chosen = each.id;
        sheet.close();
      });
      return pick;
    });
    const sheet = openSheet(say("choose_category"), make("div", { class: "pick-lines" }, ...picks));
    sheet.addEventListener("close", () => resolve(chosen));
  });
}
