/** Time left, in words that the page provides. */

export interface TimeWords {
  readonly minutes: string;
  readonly hours: string;
  readonly days: string;
}

const SECOND = 1000;

/** Put values into the {names} of a text. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** Say how long is left, rounded up to the second so that "0" means over. */
export function describeRemaining(milliseconds: number, words: TimeWords): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / SECOND));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 24) return fill(words.days, { d: Math.floor(hours / 24), h: hours % 24 });
  if (hours >= 1) return fill(words.hours, { h: hours, m: minutes % 60 });
  return fill(words.minutes, { m: minutes, s: String(seconds % 60).padStart(2, "0") });
}

/** Split what is left into days, hours, minutes and seconds, rounded up to the second. */
export function countdownParts(milliseconds: number): { days: number; hours: number; minutes: number; seconds: number } {
  const seconds = Math.max(0, Math.ceil(milliseconds / SECOND));
  return { days: Math.floor(seconds / 86_400), hours: Math.floor(seconds / 3600) % 24, minutes: Math.floor(seconds / 60) % 60, seconds: seconds % 60 };
}

/** How long to wait before asking again: patient after a minute, and after five. */
export function pollDelay(firstSeconds: number, elapsedMilliseconds: number): number {
  const first = Math.min(Math.max(firstSeconds, 1), 30) * SECOND;
  if (elapsedMilliseconds < 60 * SECOND) return first;
  return Math.max(first, elapsedMilliseconds < 300 * SECOND ? 5 * SECOND : 15 * SECOND);
}
